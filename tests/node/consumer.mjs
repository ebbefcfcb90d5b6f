// A queue consumer as somebody would write it with the JavaScript SDK: takes a message with a task token from a
// queue, keeps what it says as an object, and answers the token. Ends after one message.
//
//     node consumer.mjs ENDPOINT QUEUE_URL BUCKET

import { DeleteMessageCommand, ReceiveMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { SendTaskSuccessCommand, SFNClient } from "@aws-sdk/client-sfn";

const [endpoint, QueueUrl, Bucket] = process.argv.slice(2);
const settings = { endpoint, region: "us-east-1", credentials: { accessKeyId: "any", secretAccessKey: "any" }, maxAttempts: 1 };
const sqs = new SQSClient(settings);
const s3 = new S3Client({ ...settings, forcePathStyle: true });
const sfn = new SFNClient(settings);

const { Messages: [message] } = await sqs.send(new ReceiveMessageCommand({
  QueueUrl, WaitTimeSeconds: 20, MessageSystemAttributeNames: ["All"], MessageAttributeNames: ["All"],
}));
const request = JSON.parse(message.Body);
await s3.send(new PutObjectCommand({ Bucket, Key: `orders/${request.order}.json`, Body: message.Body }));
const kept = await s3.send(new GetObjectCommand({ Bucket, Key: `orders/${request.order}.json` }));
const output = JSON.stringify({ order: request.order, received: message.Attributes.ApproximateReceiveCount, kept: (await kept.Body.transformToString()).length });
await sfn.send(new SendTaskSuccessCommand({ taskToken: request.token, output }));
await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: message.ReceiptHandle }));
console.log(output);
