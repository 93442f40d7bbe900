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
  const path = resolve(flags.state, 'dataplaned.sock');
  let sink: FrameSink | undefined;
  try {
    if (flags.points.length === 0 && !flags.dropped) throw new Error('-i is needed, except with --dropped');
    const client = await IpcClient.connect(path);
    const stop = (): void => client.close();
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, stop);
    let written = 0;
    let lost = 0;
    let interrupted = false;
    try {
      const params = { points: [...flags.points], dropped: flags.dropped, snaplen: flags.snaplen };
      for await (const item of client.stream('capture', params)) {
        if (sink === undefined) {
          // Not before the capture has begun: a name that does not exist must leave an old file alone.
          sink = await openSink(flags.file, stop);
          say(`listening on ${flags.points.join(', ') || 'everything'}${flags.dropped ? ', dropped frames only' : ''}`);
        }
        lost = item.lost;
        for (const frame of item.frames) {
          await sink.write(frame);
          written += 1;
          if (written === flags.count) break;
        }
        if (written === flags.count) break;
      }
    } catch (error) {
      interrupted = !client.isConnected && sink !== undefined;
      if (!interrupted) throw error;
    }
    await sink?.close();
    client.close();
    say(`${written} frames captured, ${lost} lost because they came too fast`);
    return 0;
  } catch (error) {
    await sink?.close().catch(() => undefined);
    say(`cannot capture: ${errorText(error)}`);
    return 1;
  }
}

async function openSink(file: string | undefined, stop: () => void): Promise<FrameSink> {
  // `| head` is no error.
  process.stdout.on('error', stop);
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
