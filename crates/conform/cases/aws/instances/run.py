import concurrent.futures
from conform import *

lam = client("lambda", config={"max_pool_connections": 10})
source = """
import os, random, time, uuid
BORN = (random.random(), str(uuid.uuid4()), os.urandom(8).hex())
def handler(event, context):
    mine = sorted(os.listdir("/tmp"))
    open("/tmp/" + str(uuid.uuid4()), "w").close()
    time.sleep(0.5)
    return [BORN, random.random(), str(uuid.uuid4()), mine, context.log_stream_name]
"""
create(lam, "many", python(source))
with concurrent.futures.ThreadPoolExecutor(4) as pool:
    seen = list(pool.map(lambda _: run(lam, "many"), range(4)))
for at, what in ((0, "at import"), (1, "random"), (2, "uuid"), (4, "log streams")):
    same(len({json.dumps(s[at]) for s in seen}), 4, what)
same([s[3] for s in seen], [[]] * 4, "each has an empty /tmp of its own")
