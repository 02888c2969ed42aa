"""What runs are expected to be like: learnt from good ones (`baseline`), or said by somebody (`rules`). Pure.

from replay.policy import baseline, run

learnt = baseline.learn([run.observe(good.events, trust) for good in cassettes], {})
for deviation in baseline.deviations(run.observe(cassette.events, trust), learnt): print(deviation.event, deviation.why)
"""
