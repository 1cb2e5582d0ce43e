//! Generated from AWS's published API models: the operations, shapes and limits of the services that anyfn serves, as plain types.
