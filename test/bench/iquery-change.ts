// Benchmark of a state of one machine against a budget: from the command that takes a pool's member down there to the first answer of
// another machine's dnsd that is another one, over iQuery as `wideplane up` runs it at both ends, with no delay on the wire.

import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { Log } from '../../src/core/log.ts';
import { IpcClient } from '../../src/ipc/ipc-client.ts';
import { addToBundleFile } from '../../src/trust/bundle-file.ts';
import { bundleOf, trustRoot } from '../../src/trust/layout.ts';
import { TrustStore } from '../../src/trust/trust-store.ts';
import { queryOf } from '../support/dns.ts';
import type { ProgramBenchmark } from './benchmark.ts';
import { startUp, type Up } from './health-up.ts';
import { median } from './result.ts';

const LIMIT_MS = 100;
const CHANGES = 11;
const DEADLINE_MS = 60_000;
const PORT = 5399;
const TARGET_PORT = 8099;
const ASKED = '127.0.5.1';
const [OTHER, TARGET, SPARE] = ['127.0.5.2', '127.0.5.80', '127.0.5.81'];
const MEMBER = `${TARGET}:${TARGET_PORT}`;

/** The machine that is asked. */
const FIRST = `
sys db iqueryd.address { value "${ASKED}" }
gtm datacenter dc { }
gtm server other {
    datacenter dc monitor bigip
    devices { other { addresses { ${OTHER} { } } } }
    virtual-servers { vs { destination ${MEMBER} } }
}
gtm server spare {
    datacenter dc product generic-host
    devices { spare { addresses { ${SPARE} { } } } }
    virtual-servers { vs { destination ${SPARE}:${TARGET_PORT} monitor none } }
}
gtm pool a order { load-balancing-mode global-availability members { other:vs { member-order 0 } spare:vs { member-order 1 } } }
gtm wideip a www.example.com { pools { order { } } }
gtm listener any { address 127.0.0.1 port ${PORT} }
`;

/** The machine whose virtual server it is. */
const SECOND = `
sys db iqueryd.address { value "${OTHER}" }
ltm monitor tcp soon { interval 1 timeout 4 }
ltm pool web { members { ${MEMBER} { address ${TARGET} } } monitor soon }
ltm virtual vs { destination ${MEMBER} pool web }
`;

const quiet = (): void => undefined;
const LOG: Log = { debug: quiet, info: quiet, warn: quiet, error: quiet };

/** Both trust each other, in both directions. */
async function introduce(states: readonly string[]): Promise<void> {
  const stores = [];
  for (const state of states) {
    stores.push(await TrustStore.open(trustRoot(state), { hostname: state, now: () => new Date(), log: LOG }));
  }
  for (const one of stores) {
    for (const other of stores) {
      for (const role of ['server', 'client'] as const) {
        await addToBundleFile(bundleOf(one.layout, role), [other.identity.leaf]);
      }
    }
  }
  for (const store of stores) store.close();
}

async function ask(socket: Socket): Promise<string> {
  socket.send(queryOf({ name: 'www.example.com', type: 'A' }), PORT, '127.0.0.1');
  const [reply] = (await once(socket, 'message', { signal: AbortSignal.timeout(5000) })) as [Buffer];
  return [...reply.subarray(-4)].join('.');
}

/** Asks without a pause until the answer is this one; milliseconds that it took. */
async function answered(socket: Socket, address: string): Promise<number> {
  const started = performance.now();
  while ((await ask(socket)) !== address) {
    if (performance.now() - started > DEADLINE_MS) throw new Error(`www.example.com is not ${address}`);
  }
  return performance.now() - started;
}

/** The median of some changes, down and up again, in milliseconds from the command on. */
async function measure(): Promise<number> {
  const target = createServer((socket) => socket.destroy()).listen(TARGET_PORT, TARGET);
  await once(target, 'listening');
  const ups: Up[] = [];
  const socket = createSocket('udp4');
  try {
    ups.push(await startUp('iquery-change-first', FIRST, ['dnsd', 'healthd', 'iqueryd']));
    ups.push(await startUp('iquery-change-second', SECOND, ['healthd', 'iqueryd']));
    await introduce(ups.map(({ state }) => state));
    await answered(socket, TARGET);
    const second = await IpcClient.connect(`${ups[1]!.state}/configd.sock`);
    const times: number[] = [];
    for (let change = 0; change < CHANGES; change++) {
      for (const [state, address] of [
        ['user-down', SPARE],
        ['user-up', TARGET],
      ] as const) {
        const command = `modify ltm pool web members modify { ${MEMBER} { state ${state} } }`;
        const [took] = await Promise.all([answered(socket, address), run(second, command)]);
        times.push(took);
      }
    }
    second.close();
    return median(times);
  } catch (error) {
    throw new Error(`a change is not answered:\n${ups.map(({ running }) => running.output).join('\n')}`, {
      cause: error,
    });
  } finally {
    socket.close();
    target.close();
    for (const { running } of ups) await running.stop();
  }
}

async function run(client: IpcClient, command: string): Promise<void> {
  let output = '';
  for await (const { text } of client.stream('tmsh', { command })) output += text;
  if (output !== '') throw new Error(output);
}

export const IQUERY_CHANGE_BENCHMARKS: readonly ProgramBenchmark[] = [
  {
    ...{ name: 'iquery-change-to-answer', unit: 'ms', atLeast: 1, moreIsBetter: false, own: measure },
    peer: { name: 'budget', measure: () => Promise.resolve(LIMIT_MS) },
  },
];
