// `wideplane tcpdump`: what passes an object of the data plane, or is dropped there, as lines or as a pcapng file.

import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { resolve } from 'node:path';
import type { Writable } from 'node:stream';
import { errorText } from '../core/errors.ts';
import { IpcClient } from '../ipc/ipc-client.ts';
import { type FrameSink, PcapngSink } from './capture-file.ts';
import { LineSink, startDissector } from './capture-lines.ts';

export type TcpdumpFlags = {
  /** Names of interfaces, VLANs, VLAN groups or tunnels; none: everything, only with `dropped`. */
  points: readonly string[];
  dropped: boolean;
  /** A pcapng file; `-` is the standard output; undefined: lines on the standard output. */
  file: string | undefined;
  /** Ends after this many frames. */
  count: number | undefined;
  snaplen: number;
  state: string;
};

/** Runs until the count is reached, a signal comes or the reader of the output goes; returns the exit code. */
export async function tcpdump(flags: TcpdumpFlags): Promise<number> {
  const capture = new Capture(flags);
  const stop = (): void => capture.stop();
  // `| head` is no error.
  process.stdout.on('error', stop);
  for (const signal of STOPPING) process.on(signal, stop);
  try {
    await capture.run();
    say(`${capture.written} frames captured, ${capture.lost} lost because they came too fast`);
    return 0;
  } catch (error) {
    say(`cannot capture: ${errorText(error)}`);
    return 1;
  } finally {
    process.stdout.off('error', stop);
    for (const signal of STOPPING) process.off(signal, stop);
  }
}

const STOPPING = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

class Capture {
  written = 0;
  lost = 0;
  readonly #flags: TcpdumpFlags;
  #client: IpcClient | undefined;
  #isStopped = false;

  constructor(flags: TcpdumpFlags) {
    this.#flags = flags;
  }

  stop(): void {
    this.#isStopped = true;
    this.#client?.close();
  }

  async run(): Promise<void> {
    const { points, dropped, state } = this.#flags;
    if (points.length === 0 && !dropped) throw new Error('-i is needed, except with --dropped');
    const client = await IpcClient.connect(resolve(state, 'dataplaned.sock'));
    this.#client = client;
    let sink: FrameSink | undefined;
    try {
      sink = await this.#copyFrames(client);
    } finally {
      client.close();
      await sink?.close();
    }
  }

  /** Copies what comes until there is enough; returns the sink, which is still open. */
  async #copyFrames(client: IpcClient): Promise<FrameSink | undefined> {
    const { points, dropped, snaplen, count, file } = this.#flags;
    let sink: FrameSink | undefined;
    try {
      for await (const item of client.stream('capture', { points: [...points], dropped, snaplen })) {
        if (sink === undefined) {
          // Not before the capture has begun: a name that does not exist must leave an old file alone.
          sink = await openSink(file);
          say(`listening on ${points.join(', ') || 'everything'}${dropped ? ', dropped frames only' : ''}`);
        }
        this.lost = item.lost;
        for (const frame of item.frames) {
          await sink.write(frame);
          this.written += 1;
          if (this.written === count) return sink;
        }
      }
    } catch (error) {
      if (!this.#isStopped) {
        await sink?.close().catch(() => undefined);
        throw error;
      }
    }
    return sink;
  }
}

async function openSink(file: string | undefined): Promise<FrameSink> {
  if (file === undefined) return new LineSink((line) => process.stdout.write(`${line}\n`), await startDissector());
  return new PcapngSink(file === '-' ? process.stdout : await openFile(file));
}

async function openFile(file: string): Promise<Writable> {
  const stream = createWriteStream(file);
  await once(stream, 'open');
  return stream;
}

function say(text: string): void {
  process.stderr.write(`wideplane tcpdump: ${text}\n`);
}
