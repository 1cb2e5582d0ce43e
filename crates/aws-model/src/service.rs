//! The macro behind every generated service: one method per operation, and one function that calls the right one.

/// Declares `Handler` and `dispatch`. An operation reads `method: Input => Output = "Operation",`.
#[macro_export]
macro_rules! service {
    ($($method:ident: $input:ty => $output:ty = $name:literal,)*) => {
        /// One method per operation. A method that is not written answers `NotImplementedException`.
        ///
        /// `Cx` is whatever the server knows of the caller and the request.
        pub trait Handler<Cx: Send>: Send + Sync {
            $(
                #[doc = concat!("`", $name, "`.")]
                fn $method(
                    &self,
                    _cx: Cx,
                    _input: $input,
                ) -> impl ::std::future::Future<Output = Result<$output, $crate::ServiceError>> + Send {
                    ::std::future::ready(Err($crate::ServiceError::not_served($name)))
                }
            )*
        }

        /// Calls the method of the call's operation.
        ///
        /// # Errors
        /// What the handler answers; `NotImplementedException` for operations that are not in the manifest.
        pub async fn dispatch<Cx: Send, H: Handler<Cx>>(
            handler: &H,
            cx: Cx,
            call: $crate::Call,
        ) -> Result<$crate::Value, $crate::ServiceError> {
            // Boxed, so that the future is as large as the one method that runs and not as the largest of all.
            match call.target.operation.name {
                $($name => {
                    let input = call.input::<$input>()?;
                    Box::pin(handler.$method(cx, input)).await.map($crate::Typed::into_value)
                })*
                other => Err($crate::ServiceError::not_served(other)),
            }
        }
    };
}
