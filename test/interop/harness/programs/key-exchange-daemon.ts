// Registers for key exchange with a dataplaned and answers each message with `reply: ` and the message.
//
//   key-exchange-daemon SOCKET       prints `registered`, then a JSON line for each item that has messages

import { IpcClient } from '../../../../src/ipc/ipc-client.ts';

const client = await IpcClient.connect(process.argv[2]!);
for await (const { messages, lost } of client.stream('key-exchange', {})) {
  if (messages.length === 0) console.log('registered');
  else console.log(JSON.stringify({ messages, lost }));
  for (const { local, remote, remotePort, octets } of messages) {
    const reply = Buffer.concat([Buffer.from('reply: '), Buffer.from(octets, 'base64')]);
    await client.request('send-key-exchange', { local, remote, remotePort, octets: reply.toString('base64') });
  }
}
