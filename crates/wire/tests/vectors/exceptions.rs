//! The cases that do not hold for a server, by reason. A case that is listed and passes fails the test.

pub(crate) type Exceptions = &'static [(&'static str, &'static [&'static str])];

pub(crate) const REQUESTS_FLOOR: usize = 330;
pub(crate) const ANSWERS_FLOOR: usize = 299;

pub(crate) const REQUESTS: Exceptions = &[
    (
        "the case gives no body, target or form, because it only looks at another header",
        &[
            "ec2/SDKAppliedContentEncoding_ec2Query",
            "ec2/SDKAppendsGzipAndIgnoresHttpProvidedEncoding_ec2Query",
            "json/SDKAppliedContentEncoding_awsJson1_1",
            "json/SDKAppendsGzipAndIgnoresHttpProvidedEncoding_awsJson1_1",
            "json_1_0/SDKAppliedContentEncoding_awsJson1_0",
            "json_1_0/SDKAppendsGzipAndIgnoresHttpProvidedEncoding_awsJson1_0",
            "json_1_0/AwsJson10EndpointTrait",
            "json_1_0/AwsJson10EndpointTraitWithHostLabel",
            "json_1_0/AwsJson10HostWithPath",
            "query/SDKAppliedContentEncoding_awsQuery",
            "query/SDKAppendsGzipAndIgnoresHttpProvidedEncoding_awsQuery",
            "rest-json/SDKAppliedContentEncoding_restJson1",
            "rest-json/SDKAppendedGzipAfterProvidedEncoding_restJson1",
            "rest-xml/SDKAppliedContentEncoding_restXml",
            "rest-xml/SDKAppendedGzipAfterProvidedEncoding_restXml",
        ],
    ),
    (
        "the service stands below a path of the client's endpoint, which the listener takes off",
        &["rest-json/RestJsonHostWithPath"],
    ),
    (
        "the client fills in a token of its own",
        &[
            "ec2/Ec2ProtocolIdempotencyTokenAutoFill",
            "query/QueryProtocolIdempotencyTokenAutoFill",
            "rest-json/RestJsonQueryIdempotencyTokenAutoFill",
            "rest-xml/QueryIdempotencyTokenAutoFill",
        ],
    ),
    (
        "empty lists and maps are not sent here, so they cannot be told from unset ones",
        &[
            "ec2/Ec2EmptyQueryLists",
            "query/QueryEmptyQueryMaps",
            "rest-json/RestJsonHttpPrefixHeadersAreNotPresent",
            "rest-json/RestJsonOmitsEmptyListQueryValues",
            "rest-xml/HttpPrefixHeadersAreNotPresent",
        ],
    ),
    (
        "an unset payload is sent as an empty structure, so it cannot be told from one",
        &["rest-json/RestJsonHttpWithEmptyStructurePayload", "rest-json/RestJsonHttpWithHeadersButNoPayload"],
    ),
    (
        "a server puts all query parameters into the map; the case lists those that the client put there",
        &[
            "rest-json/RestJsonQueryParamsStringListMap",
            "rest-json/RestJsonQueryPrecedence",
            "rest-xml/AllQueryStringTypes",
            "rest-xml/RestXmlQueryStringEscaping",
            "rest-xml/RestXmlSupportsNaNFloatQueryValues",
            "rest-xml/RestXmlSupportsInfinityFloatQueryValues",
            "rest-xml/RestXmlSupportsNegativeInfinityFloatQueryValues",
            "rest-xml/RestXmlZeroAndFalseQueryValues",
            "rest-xml/RestXmlQueryParamsStringListMap",
            "rest-xml/RestXmlQueryPrecedence",
        ],
    ),
];

pub(crate) const ANSWERS: Exceptions = &[
    (
        "we write all times in UTC",
        &[
            "ec2/Ec2QueryDateTimeWithNegativeOffset",
            "ec2/Ec2QueryDateTimeWithPositiveOffset",
            "json/AwsJson11DateTimeWithNegativeOffset",
            "json/AwsJson11DateTimeWithPositiveOffset",
            "query/AwsQueryDateTimeWithNegativeOffset",
            "query/AwsQueryDateTimeWithPositiveOffset",
            "rest-json/RestJsonDateTimeWithNegativeOffset",
            "rest-json/RestJsonDateTimeWithPositiveOffset",
            "rest-xml/RestXmlDateTimeWithNegativeOffset",
            "rest-xml/RestXmlDateTimeWithPositiveOffset",
        ],
    ),
    (
        "other ways to name an error, which clients tolerate; ours have cases that pass",
        &[
            "json/AwsJson11FooErrorUsingXAmznErrorType",
            "json/AwsJson11FooErrorUsingXAmznErrorTypeWithUri",
            "json/AwsJson11FooErrorUsingXAmznErrorTypeWithUriAndNamespace",
            "json/AwsJson11FooErrorUsingCode",
            "json/AwsJson11FooErrorUsingCodeAndNamespace",
            "json/AwsJson11FooErrorUsingCodeUriAndNamespace",
            "json_1_0/AwsJson10FooErrorUsingXAmznErrorType",
            "json_1_0/AwsJson10FooErrorUsingXAmznErrorTypeWithUri",
            "json_1_0/AwsJson10FooErrorUsingXAmznErrorTypeWithUriAndNamespace",
            "json_1_0/AwsJson10FooErrorUsingCode",
            "json_1_0/AwsJson10FooErrorUsingCodeAndNamespace",
            "json_1_0/AwsJson10FooErrorUsingCodeUriAndNamespace",
            "rest-json/RestJsonFooErrorUsingCode",
            "rest-json/RestJsonFooErrorUsingCodeAndNamespace",
            "rest-json/RestJsonFooErrorUsingCodeUriAndNamespace",
            "rest-json/RestJsonFooErrorWithDunderType",
            "rest-json/RestJsonFooErrorWithDunderTypeAndNamespace",
            "rest-json/RestJsonFooErrorWithDunderTypeUriAndNamespace",
        ],
    ),
    (
        "an empty body where we write an empty document, or the reverse; clients take both",
        &[
            "json/handles_empty_output_shape",
            "json_1_0/AwsJson10HandlesEmptyOutputShape",
            "query/QueryEmptyInputAndEmptyOutput",
            "query/QueryNoInputAndNoOutput",
            "query/QueryNoInputAndOutput",
            "rest-json/RestJsonEmptyInputAndEmptyOutputJsonObjectOutput",
            "rest-json/RestJsonFooErrorUsingXAmznErrorType",
            "rest-json/RestJsonFooErrorUsingXAmznErrorTypeWithUri",
            "rest-json/RestJsonFooErrorUsingXAmznErrorTypeWithUriAndNamespace",
            "rest-json/RestJsonGreetingWithErrors",
            "rest-json/RestJsonHttpResponseCode",
            "rest-json/RestJsonIgnoreQueryParamsInResponse",
            "rest-json/RestJsonNoInputAndOutputNoPayload",
            "rest-xml/RestXmlHttpResponseCode",
            "rest-xml/IgnoreQueryParamsInResponse",
            "smithy-rpc-v2-cbor/empty_output_no_body",
            "smithy-rpc-v2-cbor/NoOutputClientAllowsEmptyCbor",
            "smithy-rpc-v2-cbor/NoOutputClientAllowsEmptyBody",
            "smithy-rpc-v2-cbor/RpcV2CborPayloadWithUnsetUnion",
        ],
    ),
    (
        "nulls and unknown members that a client must ignore; we write none",
        &[
            "json/handles_unexpected_json_output",
            "json/AwsJson11DeserializeIgnoreType",
            "json/AwsJson11StructuresDontDeserializeNullValues",
            "json_1_0/AwsJson10DeserializeIgnoreType",
            "json_1_0/AwsJson10DeserializeAllowNulls",
            "json_1_0/AwsJson10HandlesUnexpectedJsonOutput",
            "rest-json/RestJsonDeserializesDenseSetMapAndSkipsNull",
            "rest-json/RestJsonDeserializeIgnoreType",
            "rest-json/RestJsonDoesntDeserializeNullStructureValues",
            "rest-xml/InvalidGreetingError",
            "smithy-rpc-v2-cbor/RpcV2CborDeserializesDenseSetMapAndSkipsNull",
            "smithy-rpc-v2-cbor/RpcV2CborClientDoesntDeserializeNullStructureValues",
            "smithy-rpc-v2-cbor/RpcV2CborExtraFieldsInTheBodyShouldBeSkippedByClients",
        ],
    ),
    (
        "the answer shows what the case's result and model do not say: a message, a request's header, another content type",
        &["ec2/Ec2ComplexError", "rest-xml/ComplexError", "json/AwsJson11IntEnums", "ec2/Ec2XmlEmptyLists"],
    ),
    (
        "the answer leaves out a namespace that the model states",
        &["ec2/Ec2XmlNamespaces", "query/QueryXmlNamespaces"],
    ),
];
