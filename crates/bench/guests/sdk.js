const { S3Client } = require('@aws-sdk/client-s3');
const client = new S3Client({ region: 'us-east-1', credentials: { accessKeyId: 'x', secretAccessKey: 'y' } });
exports.handler = async (event) => ({ hello: event.name ?? 'world', client: client.constructor.name });
