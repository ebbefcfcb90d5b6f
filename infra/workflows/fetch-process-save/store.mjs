// The data store: JSON objects in a bucket, one for each dataId.

import { GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";

const s3 = new S3Client({});
const Bucket = process.env.BUCKET;

/** What is kept under `Key`; `undefined` where there is nothing. */
export async function read(Key) {
  try {
    const found = await s3.send(new GetObjectCommand({ Bucket, Key }));
    return JSON.parse(await found.Body.transformToString());
  } catch (error) {
    if (error.name === "NoSuchKey") {
      return undefined;
    }
    throw error;
  }
}

/** Keeps `value` under `Key`, in place of what was there; gives its address. */
export async function write(Key, value) {
  await s3.send(new PutObjectCommand({ Bucket, Key, Body: JSON.stringify(value), ContentType: "application/json" }));
  return `s3://${Bucket}/${Key}`;
}
