// dnsd as users have it, with configd behind it, for benchmarks: started once for each number.

import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { IpcClient } from '../../src/ipc/ipc-client.ts';
import { type Command, onCore, Running } from './command.ts';
import { DEVICE_CORE, STATE, WIDEPLANE } from './device.ts';
import { PORT } from './dns.ts';
import { benchMasterFile, benchQuestions, ORIGIN } from './dns-zone.ts';

/** Everything on: cookies and the name of the server cost those who ask for them. */
const configuration = (directory: string): string => `
ltm profile dns bench { nsid bench unhandled-query-action reject }
gtm listener udp { address 127.0.0.1 port ${PORT} profiles { bench { } } }
gtm listener tcp { address 127.0.0.1 port ${PORT} ip-protocol tcp profiles { bench { } } }
gtm zone ${ORIGIN} { file ${directory}/zone.txt }
`;

export class DnsDaemon {
  /** Where the zone and the questions are. */
  readonly directory: string;
  readonly #configd: Running;
  readonly #dnsd: Running;

  private constructor(directory: string, configd: Running, dnsd: Running) {
    this.directory = directory;
    this.#configd = configd;
    this.#dnsd = dnsd;
  }

  /** Resolves when queries are answered. `core`: that of dnsd. */
  static async start(records: number, core = DEVICE_CORE): Promise<DnsDaemon> {
    const directory = `${STATE}/dnsd`;
    rmSync(directory, { recursive: true, force: true });
    mkdirSync(`${directory}/state`, { recursive: true, mode: 0o700 });
    writeFileSync(`${directory}/zone.txt`, benchMasterFile(records));
    writeFileSync(`${directory}/questions.txt`, benchQuestions(records));
    writeFileSync(`${directory}/wideplane.conf`, configuration(directory));
    const run = (...args: string[]): Command => [process.execPath, WIDEPLANE, 'run', ...args];
    const state = ['--state', `${directory}/state`];
    const serves = (output: string): boolean => output.includes('serves ');
    const configd = await Running.start(run('configd', '--config', `${directory}/wideplane.conf`, ...state), serves);
    try {
      const dnsd = await Running.start(onCore(core, run('dnsd', ...state)), serves);
      return new DnsDaemon(directory, configd, dnsd);
    } catch (error) {
      await configd.stop();
      throw error;
    }
  }

  get pid(): number {
    return this.#dnsd.pid;
  }

  get output(): string {
    return this.#dnsd.output;
  }

  /** Has the zone read again; resolves when it is answered from. */
  async reload(): Promise<void> {
    const client = await IpcClient.connect(`${this.directory}/state/dnsd.sock`);
    try {
      const { failures } = await client.request('reload-zones', {});
      if (failures.length > 0) throw new Error(JSON.stringify(failures));
    } finally {
      client.close();
    }
  }

  async stop(): Promise<void> {
    await this.#dnsd.stop();
    await this.#configd.stop();
  }
}
