// Benchmark of a change of health against a budget: from healthd's verdict to the first answer of dnsd that is another one, as
// `wideplane up` runs them.
//
// A target stops listening; the next probe is refused, which decides at once. The verdict's own time is that of its `since`.

import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { IpcClient } from '../../src/ipc/ipc-client.ts';
import { queryOf } from '../support/dns.ts';
import type { ProgramBenchmark } from './benchmark.ts';
import { pause } from './command.ts';
import { startUp } from './health-up.ts';
import { median } from './result.ts';

const PORT = 5398;
const TARGET_PORT = 8098;
const CHANGES = 11;
const LIMIT_MS = 50;
/** For a change to be seen by a probe, and for the daemons to start. */
const DEADLINE_MS = 60_000;
const ADDRESSES = { up: '127.0.3.1', down: '127.0.3.2' } as const;
const KEY = '/Common/s:first';

const CONFIGURATION = `
gtm monitor tcp soon { interval 1 timeout 4 probe-timeout 1 }
gtm datacenter east { }
gtm server s {
    datacenter east
    devices { s { addresses { ${ADDRESSES.up} { } } } }
    product generic-host
    virtual-servers {
        first { destination ${ADDRESSES.up}:${TARGET_PORT} monitor soon }
        second { destination ${ADDRESSES.down}:${TARGET_PORT} monitor none }
    }
}
gtm pool a order { load-balancing-mode global-availability members { s:first { member-order 0 } s:second { member-order 1 } } }
gtm wideip a www.example.com { pools { order { } } }
gtm listener any { address 127.0.0.1 port ${PORT} }
`;

const listen = async (): Promise<Server> => {
  const server = createServer((socket) => socket.destroy()).listen(TARGET_PORT, ADDRESSES.up);
  await once(server, 'listening');
  return server;
};

/** When healthd came to its verdicts about the target, by their status. */
class Verdicts {
  readonly #client: IpcClient;
  readonly #ended: Promise<void>;
  #last: { readonly status: string; readonly since: number } | undefined;

  private constructor(client: IpcClient) {
    this.#client = client;
    this.#ended = this.#follow().catch(() => undefined);
  }

  static async open(state: string): Promise<Verdicts> {
    return new Verdicts(await IpcClient.connect(`${state}/healthd.sock`));
  }

  async sinceOf(status: string): Promise<number> {
    const deadline = performance.now() + DEADLINE_MS;
    while (this.#last?.status !== status) {
      if (performance.now() > deadline) throw new Error(`healthd does not say ${status}`);
      await pause(1);
    }
    return this.#last.since;
  }

  async close(): Promise<void> {
    this.#client.close();
    await this.#ended;
  }

  async #follow(): Promise<void> {
    for await (const { measured } of this.#client.stream('health-reports', {})) {
      for (const one of measured) if (one.kind === 'virtual-server' && one.key === KEY) this.#last = one;
    }
  }
}

async function ask(socket: Socket): Promise<string> {
  socket.send(queryOf({ name: 'www.example.com', type: 'A' }), PORT, '127.0.0.1');
  const [reply] = (await once(socket, 'message', { signal: AbortSignal.timeout(5000) })) as [Buffer];
  return [...reply.subarray(-4)].join('.');
}

/** Asks without a pause until the answer is this one; milliseconds since 1970. */
async function answered(socket: Socket, address: string): Promise<number> {
  const deadline = performance.now() + DEADLINE_MS;
  while ((await ask(socket)) !== address) {
    if (performance.now() > deadline) throw new Error(`www.example.com is not ${address}`);
  }
  return Date.now();
}

/** The median of some changes, down and up again, in milliseconds. */
async function measure(): Promise<number> {
  let server = await listen();
  const { running, state } = await startUp('health-change', CONFIGURATION, ['healthd', 'dnsd']);
  const socket = createSocket('udp4');
  try {
    const verdicts = await Verdicts.open(state);
    await verdicts.sinceOf('available');
    await answered(socket, ADDRESSES.up);
    const times: number[] = [];
    for (let change = 0; change < CHANGES; change++) {
      server.close();
      const down = await answered(socket, ADDRESSES.down);
      times.push(down - (await verdicts.sinceOf('offline')));
      server = await listen();
      const up = await answered(socket, ADDRESSES.up);
      times.push(up - (await verdicts.sinceOf('available')));
    }
    await verdicts.close();
    return median(times);
  } catch (error) {
    throw new Error(`a change is not answered:\n${running.output}`, { cause: error });
  } finally {
    socket.close();
    server.close();
    await running.stop();
  }
}

export const HEALTH_CHANGE_BENCHMARKS: readonly ProgramBenchmark[] = [
  {
    ...{ name: 'health-change-to-answer', unit: 'ms', atLeast: 1, moreIsBetter: false, own: measure },
    peer: { name: 'budget', measure: () => Promise.resolve(LIMIT_MS) },
  },
];
