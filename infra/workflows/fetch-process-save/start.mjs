// Starts the workflow from code. Its input has to be text. Named after the invocation, it is started once even where
// Lambda tries the invocation again.

import { SFNClient, StartExecutionCommand } from "@aws-sdk/client-sfn";
import { idOf } from "./inputs.mjs";

const stepFunctions = new SFNClient({});

export async function handler(event, context) {
  const started = await stepFunctions.send(new StartExecutionCommand({
    stateMachineArn: process.env.STATE_MACHINE_ARN,
    name: context.awsRequestId,
    input: JSON.stringify({ dataId: idOf(event) }),
  }));
  return { executionArn: started.executionArn };
}
