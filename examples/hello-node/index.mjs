export const handler = async (event, context) => {
  const name = event?.name ?? "world";
  console.log(JSON.stringify({ greeting: name, request: context.awsRequestId }));
  return { message: `Hello, ${name}!`, function: context.functionName };
};
