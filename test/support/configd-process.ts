// configd as a process of its own, and `wideplane tmsh` to talk to it.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import type { IpcClient } from '../../src/ipc/ipc-client.ts';
import { EXECUTABLE } from './executable.ts';

const running = new Set<ChildProcess>();

/** For afterEach: no test leaves a process behind. */
export function killRunning(): void {
  for (const child of running) child.kill('SIGKILL');
  running.clear();
}

/** `wideplane run configd`. */
export class ConfigdProcess {
  readonly process: ChildProcess;
  /** When it has ended and all that it wrote is read. */
  readonly #closed: Promise<number | string | null>;
  log = '';

  constructor(state: string, config?: string, env: Readonly<Record<string, string>> = {}) {
    const args = ['run', 'configd', '--state', state, ...(config === undefined ? [] : ['--config', config])];
    this.process = spawn(process.execPath, [EXECUTABLE, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    });
    running.add(this.process);
    this.#closed = new Promise((resolve) => this.process.on('close', (code, signal) => resolve(code ?? signal)));
    for (const stream of [this.process.stdout!, this.process.stderr!]) {
      stream.on('data', (text: Buffer) => (this.log += text.toString()));
    }
  }

  async ready(): Promise<this> {
    await this.says(/configd serves \S+configd\.sock/);
    return this;
  }

  /** Waits until the log says so. */
  async says(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.log)) {
      assert.equal(this.process.exitCode, null, this.log);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** The exit status, or the signal. */
  async ended(): Promise<number | string | null> {
    const status = await this.#closed;
    running.delete(this.process);
    return status;
  }

  async stop(signal: 'SIGTERM' | 'SIGKILL'): Promise<number | string | null> {
    this.process.kill(signal);
    return this.ended();
  }
}

export type Output = { status: number | null; stdout: string; stderr: string };

export function tmsh(state: string, args: readonly string[], input?: string): Output {
  const options = { encoding: 'utf8', ...(input === undefined ? {} : { input }) } as const;
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [EXECUTABLE, 'tmsh', '--state', state, ...args],
    options,
  );
  return { status, stdout, stderr };
}

/** The output of one command on a connection that stays. Throws an IpcError. */
export async function ask(client: IpcClient, command: string): Promise<string> {
  let output = '';
  for await (const { text } of client.stream('tmsh', { command })) output += text;
  return output;
}
