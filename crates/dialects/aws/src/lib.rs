//! AWS: Lambda, CloudWatch Logs and STS as their own clients call them, and function URLs.
