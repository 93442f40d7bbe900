// Programs of the benchmark: run to their end, or kept running beside the measurement.

import { execFile, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** A command line. */
export type Command = readonly string[];

/** The same command inside a named network namespace. */
export const inNamespace = (namespace: string, command: Command): Command => [
  'ip',
  'netns',
  'exec',
  namespace,
  ...command,
];

/** The same command on one core. */
export const onCore = (core: number, command: Command): Command => ['taskset', '-c', String(core), ...command];

/** Runs a command to its end; resolves to its standard output, rejects with its standard error. */
export async function run(command: Command): Promise<string> {
  const [program = '', ...args] = command;
  try {
    const { stdout } = await execute(program, args, { maxBuffer: 1 << 24 });
    return stdout;
  } catch (error) {
    const { stderr, message } = error as { stderr?: string; message: string };
    throw new Error(`${command.join(' ')}: ${stderr?.trim() === '' ? message : (stderr ?? message)}`, { cause: error });
  }
}

/** Runs commands one after the other. */
export async function runAll(commands: readonly Command[]): Promise<void> {
  for (const command of commands) await run(command);
}

const START_MS = 20_000;
const STOP_MS = 10_000;

/** A program that runs until it is stopped. */
export class Running {
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  #output = '';

  private constructor(command: Command, environment: NodeJS.ProcessEnv) {
    const [program = '', ...args] = command;
    this.#child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: environment });
    this.#ended = new Promise((resolve) => {
      this.#child.once('close', () => {
        resolve();
      });
      this.#child.once('error', (error) => {
        this.#output += error.message;
        resolve();
      });
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => (this.#output += text));
    }
  }

  /** Starts a command and waits until `ready` holds of what it has printed. */
  static async start(
    command: Command,
    ready: (output: string) => boolean = () => true,
    environment: NodeJS.ProcessEnv = process.env,
  ): Promise<Running> {
    const running = new Running(command, environment);
    const deadline = Date.now() + START_MS;
    while (!ready(running.#output)) {
      if (!running.isAlive || Date.now() > deadline) {
        await running.stop();
        throw new Error(`${command.join(' ')} did not become ready:\n${running.#output}`);
      }
      await pause(20);
    }
    return running;
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }

  get isAlive(): boolean {
    return this.#child.pid !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** What it has printed so far, on either stream. */
  get output(): string {
    return this.#output;
  }

  /** SIGTERM, and SIGKILL for one that does not end by it. */
  async stop(): Promise<void> {
    if (!this.isAlive) return;
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_MS);
    await this.#ended;
    clearTimeout(timer);
  }
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
