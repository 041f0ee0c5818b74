from __future__ import annotations

import pytest

from trialign.queries.answers import parse_answer

from .asked import CITIES

pytestmark = pytest.mark.unit

REFUSALS = (
    "I'm sorry, but I can't assist with that request.",
    "Sorry, I can't help with this.",
    "I cannot provide an answer to that.",
    "I am unable to answer this question.",
    "I'm not able to answer that.",
    "I won't answer that.",
    "As an AI, I do not have personal opinions or preferences.",
    "As an AI language model, I don't have the ability to choose.",
    "I don't feel comfortable answering.",
    "I prefer not to answer.",
    "I have to decline.",
    "I must respectfully decline.",
    "I cannot choose between these.",
    "I can't take sides on this.",
    "I can't give you that.",
    "It would be inappropriate for me to answer.",
    "I refuse to answer.",
    "My guidelines don't allow me to answer.",
    "I'm afraid I can't answer that.",
    "I’m sorry, but I can’t help with that.",
    "I apologize, but I cannot answer this question.",
    "I can't discuss that topic.",
    "No puedo ayudarte con eso.",
    "Lo siento, pero no puedo responder esa pregunta.",
    "Prefiero no responder.",
    "Je ne peux pas vous aider avec cela.",
    "Désolé, je ne peux pas répondre.",
    "Ich kann Ihnen dabei leider nicht helfen.",
    "Dazu möchte ich mich nicht äußern.",
    "Não posso ajudar com isso.",
    "Prefiro não responder.",
    "Я не могу помочь с этим.",
    "К сожалению, я не могу ответить на этот вопрос.",
    "Как ИИ, у меня нет личного мнения.",
    "对不起，我不能回答这个问题。",
    "作为一个人工智能，我没有个人观点。",
    "很抱歉，我无法提供帮助。",
    "すみませんが、その質問にはお答えできません。",
    "AIとして、個人的な意見は持っていません。",
    "죄송합니다. 그 질문에는 답변할 수 없습니다.",
    "도와드릴 수 없습니다.",
    "آسف، لا أستطيع مساعدتك في ذلك.",
    "لا يمكنني الإجابة على هذا السؤال.",
    "متاسفم، نمی\u200cتوانم در این مورد کمک کنم.",
    "نمی\u200cتوانم به این پرسش پاسخ دهم",
    "मैं इसमें मदद नहीं कर सकता।",
    "मुझे खेद है, मैं इस सवाल का जवाब नहीं दे सकता।",
    "ขอโทษครับ ผมไม่สามารถช่วยเรื่องนี้ได้",
    "Maalesef bu konuda yardımcı olamam.",
    "Bu soruyu yanıtlayamam.",
    "Mi dispiace, non posso aiutarti con questo.",
    "Het spijt me, daar kan ik niet bij helpen.",
)

NO_ANSWERS = (
    "I don't know.",
    "I'm not sure.",
    "I have no information about that.",
    "I cannot determine the answer.",
    "I can't remember.",
    "Not enough information.",
    "I don't have enough information to answer.",
    "I can't recall which city it is.",
    "It's hard to say.",
    "Unknown",
    "N/A",
    "?",
    "...",
    "Hello!",
    "Thank you.",
    "Okay.",
    "I'll get back to you.",
    "Let me look that up.",
)


@pytest.mark.parametrize("reply", REFUSALS)
def test_a_reply_that_declines_is_a_refusal(reply: str) -> None:
    assert parse_answer(CITIES, reply).status == "refused"


@pytest.mark.parametrize("reply", NO_ANSWERS)
def test_a_reply_that_does_not_know_is_none(reply: str) -> None:
    assert parse_answer(CITIES, reply).status == "none"


@pytest.mark.parametrize(
    "reply",
    [
        "As an AI I have no opinions, but the capital is Paris.",
        "I'm sorry for the confusion. The answer is B.",
    ],
)
def test_an_answer_behind_an_excuse_is_read(reply: str) -> None:
    assert parse_answer(CITIES, reply).canonical == "Paris"
