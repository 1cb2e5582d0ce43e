use http::HeaderValue;

use super::*;

fn by(signed: Option<&str>, target: Option<&'static str>, path: &str, body: &str) -> Named {
    let mut headers = HeaderMap::new();
    if let Some(target) = target {
        headers.insert("x-amz-target", HeaderValue::from_static(target));
    }
    find(signed, &headers, path, None, body.as_bytes())
}

#[test]
fn the_service_is_found_by_what_there_is() {
    let served = Named::Served;
    assert_eq!(by(Some("lambda"), None, "/x", ""), served(Speaks::Lambda));
    assert_eq!(by(None, None, "/2015-03-31/functions", ""), served(Speaks::Lambda));
    assert_eq!(by(None, Some("Logs_20140328.FilterLogEvents"), "/", ""), served(Speaks::Logs));
    assert_eq!(by(None, None, "/", "Version=2011-06-15&Action=GetCallerIdentity"), served(Speaks::Sts));
    assert_eq!(by(Some("s3"), None, "/2015-03-31/functions", ""), Named::Other("s3".into()));
    assert_eq!(
        by(None, Some("DynamoDB_20120810.ListTables"), "/", ""),
        Named::Other("DynamoDB_20120810".into())
    );
    assert_eq!(by(None, None, "/", "Action=AssumeRole"), Named::Other("of AssumeRole".into()));
    assert_eq!(by(None, None, "/20150331/x", ""), Named::Other("that this request is for".into()));
}
