#!/usr/bin/env python3
import json, os, sys, urllib.request
body = json.dumps({"errorMessage": "cannot begin", "errorType": "Own.InitError", "stackTrace": []}).encode()
request = urllib.request.Request(f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime/init/error", body,
                                 {"Lambda-Runtime-Function-Error-Type": "Own.InitError"})
answer = urllib.request.urlopen(request)
assert answer.status == 202, answer.status
sys.exit(1)
