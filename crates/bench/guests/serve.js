// A handler with nothing around it: `serve.js FILE --once EVENT` prints one answer, `serve.js FILE --serve` prints the
// port of an HTTP server.
const { handler } = require(require('path').resolve(process.argv[2]));
if (process.argv[3] === '--once') {
  handler(JSON.parse(process.argv[4])).then((answer) => console.log(JSON.stringify(answer)));
} else {
  const server = require('http').createServer((request, response) => {
    let body = '';
    request.on('data', (piece) => (body += piece));
    request.on('end', async () => {
      const answer = JSON.stringify(await handler(JSON.parse(body)));
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(answer) });
      response.end(answer);
    });
  });
  server.listen(0, '127.0.0.1', () => console.log(server.address().port));
}
