use anyfn_types::Blame;

use super::*;

#[test]
fn every_kind_has_a_code_and_a_status() {
    let cases = [
        (Kind::Invalid, "InvalidParameterValueException", 400, "InvalidParameterException", 400),
        (Kind::NotFound, "ResourceNotFoundException", 404, "ResourceNotFoundException", 400),
        (Kind::Conflict, "ResourceConflictException", 409, "OperationAbortedException", 400),
        (Kind::Precondition, "PreconditionFailedException", 412, "InvalidParameterException", 400),
        (Kind::Unauthenticated, "UnrecognizedClientException", 403, "UnrecognizedClientException", 400),
        (Kind::Denied, "AccessDeniedException", 403, "AccessDeniedException", 400),
        (Kind::TooLarge, "RequestTooLargeException", 413, "InvalidParameterException", 400),
        (Kind::Throttled, "TooManyRequestsException", 429, "ThrottlingException", 400),
        (Kind::Unavailable, "ServiceUnavailableException", 503, "ServiceUnavailableException", 500),
        (Kind::Timeout, "ServiceException", 500, "ServiceUnavailableException", 500),
        (Kind::Unsupported, "InvalidRuntimeException", 502, "InvalidParameterException", 400),
        (Kind::Internal, "ServiceException", 500, "InternalFailure", 500),
    ];
    for (kind, code, status, logs_code, logs_status) in cases {
        let error = Error::new(kind, "whatever", "text").blame(Blame::Platform);
        let lambda = lambda::translate(&error);
        assert_eq!((lambda.code.as_ref(), lambda.status), (code, status), "{kind:?}");
        let logs = logs::translate(&error);
        assert_eq!((logs.code.as_ref(), logs.status), (logs_code, logs_status), "{kind:?}");
    }
}

#[test]
fn throttling_says_why() {
    let error = Error::new(Kind::Throttled, "reserved_concurrency_exceeded", "Rate Exceeded.");
    let said = lambda::translate(&error);
    let reason = said.members.iter().find(|(name, _)| *name == "Reason").and_then(|(_, v)| v.as_str());
    assert_eq!(reason, Some("ReservedFunctionConcurrentInvocationLimitExceeded"));
}

#[test]
fn a_cause_is_never_said() {
    let error = Error::internal("record_decode", "secret path /var/lib/x");
    assert!(!Fault::from(error).said().message.contains("secret"));
}

#[test]
fn only_what_does_not_exist_is_said_otherwise() {
    let code = |fault: Fault| fault.if_not_found(|| lambda::invalid("x")).said().code.to_string();
    assert_eq!(code(lambda::no_such_resource()), "InvalidParameterValueException");
    assert_eq!(code(Error::not_found("a", "b").into()), "InvalidParameterValueException");
    assert_eq!(code(Error::internal("store", "down").into()), "ServiceException");
    assert_eq!(code(lambda::conflict("y")), "ResourceConflictException");
}

#[test]
fn f_a_refused_signature_keeps_the_code_that_clients_act_on() {
    let ask = |code, protocol| {
        let said = super::unsigned(&Error::new(Kind::Unauthenticated, code, "text"), protocol)?;
        Some((said.code.into_owned(), said.status))
    };
    let expect = |code: &str, status| Some((code.to_owned(), status));
    assert_eq!(
        ask("signature_missing", Protocol::RestJson),
        expect("MissingAuthenticationTokenException", 403)
    );
    assert_eq!(ask("signature_expired", Protocol::RestJson), expect("InvalidSignatureException", 403));
    assert_eq!(ask("signature_mismatch", Protocol::Query), expect("SignatureDoesNotMatch", 403));
    assert_eq!(ask("key_unknown", Protocol::Json11), expect("UnrecognizedClientException", 400));
    assert_eq!(ask("unauthenticated", Protocol::RestJson), None);
}

#[test]
fn a_call_of_a_function_whose_runtime_nobody_knows_is_no_fault_of_its_parameters() {
    let error = Error::new(Kind::Invalid, "runtime_unknown", "`cobol85` is no runtime");
    let said = lambda::translate(&error);
    assert_eq!((said.code.as_ref(), said.status), ("InvalidRuntimeException", 502));
}
