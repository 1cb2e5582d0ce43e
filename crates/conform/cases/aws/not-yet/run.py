from conform import *

lam = client("lambda")
with error("InvalidParameterValueException", 400, r"Container images are not served yet: .*"):
    lam.create_function(FunctionName="image", Role=ROLE, PackageType="Image", Code={"ImageUri": "registry/image:tag"})
with error("InvalidParameterValueException", 400, r"Code from S3 is not served yet: .*"):
    lam.create_function(FunctionName="s3", Role=ROLE, Runtime="python3.12", Handler="a.b", Code={"S3Bucket": "bucket", "S3Key": "key"})
create(lam, "plain")
with error("InvalidParameterValueException", 400, r"Code from S3 is not served yet: .*"):
    lam.update_function_code(FunctionName="plain", S3Bucket="bucket", S3Key="key")
for runtime in ("dotnet8", "go1.x", "python2.7", "nodejs8.10"):
    name = runtime.replace(".", "-")
    create(lam, name, runtime=runtime, Handler="any.thing", wait=False)
    config = until(lambda: (lambda c: c if c["State"] != "Pending" else None)(lam.get_function_configuration(FunctionName=name)), "it settles")
    has(config, State="Failed", StateReasonCode="InvalidRuntime", StateReason=...)
    same(runtime in config["StateReason"], True, config["StateReason"])
    try:
        lam.invoke(FunctionName=name)
        raise AssertionError(f"{name} was called")
    except lam.exceptions.ClientError as fault:
        same((fault.response["ResponseMetadata"]["HTTPStatusCode"], fault.response["Error"]["Code"]), (502, "InvalidRuntimeException"), str(fault))
access_point = f"arn:aws:elasticfilesystem:{REGION}:{ACCOUNT}:access-point/fsap-12345678901234567"
made = create(lam, "kept", VpcConfig={"SubnetIds": ["subnet-12345678"], "SecurityGroupIds": ["sg-12345678"]}, SnapStart={"ApplyOn": "PublishedVersions"},
              FileSystemConfigs=[{"Arn": access_point, "LocalMountPath": "/mnt/data"}], DeadLetterConfig={"TargetArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:q"},
              DurableConfig={"ExecutionTimeout": 60})
has(made["VpcConfig"], SubnetIds=["subnet-12345678"], SecurityGroupIds=["sg-12345678"])
has(made, SnapStart={"ApplyOn": "PublishedVersions", "OptimizationStatus": "Off"}, FileSystemConfigs=[{"Arn": access_point, "LocalMountPath": "/mnt/data"}],
    DeadLetterConfig={"TargetArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:q"}, DurableConfig=None)
same(run(lam, "kept", {"a": 1}), {"a": 1}, "it runs all the same")
