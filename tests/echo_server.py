"""A server for tests: it sends prompts back with log-probabilities, as vLLM does. The engine has no part in it."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer


class EchoServer:
    """A base model behind ``/v1/completions`` with echo, and ``/v1/chat/completions``, on loopback.

    Attributes:
        asked: the paths of the requests so far.
        echoes: whether prompts are sent back with their log-probabilities.
        left: requests that it still answers.
        kept: name -> under which other name its replies are written, as from prefixes that were kept too long.
    """

    def __init__(self, folder: Path, name: str = "embedded", adapters: Mapping[str, Path | None] | None = None) -> None:
        self.asked: list[str] = []
        self.echoes = True
        self.left = float("inf")
        self.kept: dict[str, str] = {}
        self._tokenizer: Any = AutoTokenizer.from_pretrained(folder)
        self._models: dict[str, Any] = {}
        for served, adapter in {name: None, **(adapters or {})}.items():
            base = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
            self._models[served] = PeftModel.from_pretrained(base, str(adapter)).eval() if adapter else base
        self._one_at_a_time = threading.Lock()
        routes = {"/v1/completions": self.complete, "/v1/chat/completions": self.chat}
        asked, names, server = self.asked, [*self._models], self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send({"data": [{"id": name} for name in names]})

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                server.left -= 1
                if server.left < 0:
                    return  # without an answer
                asked.append(self.path)
                self.send({"model": body["model"], "choices": routes[self.path](body)})

            def send(self, content: Any) -> None:
                text = json.dumps(content).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}/v1"
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def complete(self, body: Any) -> list[Any]:
        if "echo" not in body:
            return [self.continued(body)]
        if not self.echoes:
            return [{"index": place, "text": "", "finish_reason": "length"} for place in range(len(body["prompt"]))]
        model = self._models[body["model"]]
        return [
            {"index": place, "logprobs": self.log_probabilities(model, ids)} for place, ids in enumerate(body["prompt"])
        ]

    @torch.inference_mode()
    def log_probabilities(self, model: Any, ids: list[int]) -> dict[str, Any]:
        with self._one_at_a_time:
            logits = model(input_ids=torch.tensor([ids])).logits[0]
        values = logits[:-1].log_softmax(-1)[torch.arange(len(ids) - 1), ids[1:]].tolist()
        return {"tokens": [self._tokenizer.decode([one]) for one in ids], "token_logprobs": [None, *values]}

    def continued(self, body: Any) -> dict[str, Any]:
        """A reply of the model itself, with what vLLM reports of it: log-probabilities at temperature 1."""
        ids = list(body["prompt"])
        model = self._models[self.kept.get(body["model"], body["model"])]
        generator = torch.Generator().manual_seed(body.get("seed", 0))
        written: list[int] = []
        values: list[float] = []
        while len(written) < body["max_tokens"] and self._tokenizer.eos_token_id not in written:
            with self._one_at_a_time, torch.inference_mode():
                logits = model(input_ids=torch.tensor([[*ids, *written]])).logits[0, -1]
            likely = (logits / max(body["temperature"], 1e-6)).softmax(-1)
            written.append(int(torch.multinomial(likely, 1, generator=generator)))
            values.append(float(logits.log_softmax(-1)[written[-1]]))
        finish = "stop" if self._tokenizer.eos_token_id in written else "length"
        text = self._tokenizer.decode(written, skip_special_tokens=True)
        told = {"tokens": [self._tokenizer.decode([one]) for one in written], "token_logprobs": values}
        return {"index": 0, "text": text, "finish_reason": finish, "token_ids": written, "logprobs": told}

    @torch.inference_mode()
    def chat(self, body: Any) -> list[Any]:
        chat = self._tokenizer.apply_chat_template(body["messages"], add_generation_prompt=True, return_tensors="pt")
        with self._one_at_a_time:
            made = self._models[body["model"]].generate(
                **chat, max_new_tokens=body["max_tokens"], do_sample=False, eos_token_id=self._tokenizer.eos_token_id
            )
        text = self._tokenizer.decode(made[0, chat["input_ids"].shape[1] :], skip_special_tokens=True)
        return [{"message": {"content": text}, "finish_reason": "stop"}]

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
