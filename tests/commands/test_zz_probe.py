import time, subprocess
def test_probe(project):
    f = open("/tmp/probe.out","a")
    t=time.time(); r=project.fit(); print(r.code, r.out, r.err, time.time()-t, file=f)
    print(subprocess.run("find . -type f; head -5 runs/mine/config.yaml; cat runs/mine/logs/metrics.csv; ls -la runs/mine/checkpoints", shell=True, cwd=project.folder, capture_output=True, text=True).stdout, file=f)
    t=time.time(); r=project.fit(); print(r.code, r.err, time.time()-t, file=f)
    t=time.time(); r=project.fit("--overwrite"); print(r.code, r.err, time.time()-t, file=f)
    assert 0
