// `wideplane dns health`, `dns path` and `dns resume`: what is known of the health and load of servers, set by hand.

import { createReadStream } from 'node:fs';
import { errorText } from '../core/errors.ts';
import { type HealthChange, MOST_HEALTH_CHANGES } from '../ipc/health-schema.ts';
import type { IpcClient } from '../ipc/ipc-client.ts';
import { IpcError } from '../ipc/ipc-error.ts';
import { say, withDnsd } from './dns.ts';
import { HealthWordError, readHealthLine } from './health-words.ts';

/** Returns the exit code, as all here do. */
export async function listHealth(state: string): Promise<number> {
  return withDnsd(state, 'health', async (client) => {
    let cursor: number | undefined = 0;
    while (cursor !== undefined) {
      const page: { lines: string[]; next?: number | undefined } = await client.request('health-list', { cursor });
      if (page.lines.length > 0) process.stdout.write(`${page.lines.join('\n')}\n`);
      cursor = page.next;
    }
  });
}

/** `command`: how a message begins. */
export async function changeHealth(state: string, command: string, change: HealthChange): Promise<number> {
  return withDnsd(state, command, async (client) => {
    const { refused } = await client.request('health-change', { changes: [change] });
    if (refused.length > 0) throw new IpcError('refused', refused[0]!.reason);
  });
}

/** A change a line, until the end; `-` is standard input. Lines that are wrong are named, and all others are taken. */
export async function changeHealthFrom(state: string, file: string): Promise<number> {
  const counts = { changed: 0, refused: 0 };
  const status = await withDnsd(state, 'health', async (client) => {
    const lines = new LineBatches(client, counts);
    const input = file === '-' ? process.stdin : createReadStream(file);
    input.setEncoding('utf8');
    let rest = '';
    // What has come is sent before more is read: who writes slowly sees each line take effect.
    for await (const piece of input) {
      const pieces = (rest + String(piece)).split('\n');
      rest = pieces.pop()!;
      await lines.send(pieces);
    }
    await lines.send(rest === '' ? [] : [rest]);
  });
  say('health', `${counts.changed} changes, ${counts.refused} lines refused`);
  return counts.refused > 0 ? 1 : status;
}

type Numbered = { readonly line: number; readonly change: HealthChange };

class LineBatches {
  readonly #client: IpcClient;
  readonly #counts: { changed: number; refused: number };
  #line = 0;

  constructor(client: IpcClient, counts: { changed: number; refused: number }) {
    this.#client = client;
    this.#counts = counts;
  }

  async send(lines: readonly string[]): Promise<void> {
    const numbered = lines.flatMap((text) => this.#read(text));
    for (let at = 0; at < numbered.length; at += MOST_HEALTH_CHANGES) {
      await this.#request(numbered.slice(at, at + MOST_HEALTH_CHANGES));
    }
  }

  #read(text: string): Numbered[] {
    const line = ++this.#line;
    try {
      const change = readHealthLine(text);
      return change === undefined ? [] : [{ line, change }];
    } catch (error) {
      if (!(error instanceof HealthWordError)) throw error;
      this.#refuse(line, errorText(error));
      return [];
    }
  }

  async #request(batch: readonly Numbered[]): Promise<void> {
    const { refused } = await this.#client.request('health-change', { changes: batch.map(({ change }) => change) });
    for (const { number, reason } of refused) this.#refuse(batch[number]!.line, reason);
    this.#counts.changed += batch.length - refused.length;
  }

  #refuse(line: number, reason: string): void {
    this.#counts.refused += 1;
    say('health', `line ${line}: ${reason}`);
  }
}
