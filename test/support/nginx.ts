// An nginx of the test, with the servers that it says.

import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const READY_MS = 30_000;

export class Nginx {
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  #log = '';

  private constructor(command: string, args: readonly string[]) {
    this.#child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.stderr!.setEncoding('utf8').on('data', (text: string) => (this.#log += text));
  }

  /**
   * `servers`: blocks of its configuration. `namespace`: where it runs. Ready when `port` of `address` is open, as it is seen from the
   * namespace `isSeenFrom`, or from here.
   */
  static async start(
    servers: string,
    {
      address,
      port,
      namespace,
      isSeenFrom,
    }: { address: string; port: number; namespace?: string; isSeenFrom?: string },
  ): Promise<Nginx> {
    const directory = mkdtempSync(join(tmpdir(), 'nginx-'));
    const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
      (name) => `${name}_temp_path ${directory}/${name};`,
    );
    writeFileSync(
      join(directory, 'nginx.conf'),
      `user root; daemon off; worker_processes 1; pid ${directory}/pid; error_log stderr;\n` +
        `events { worker_connections 4096; }\n` +
        `http { access_log off; default_type text/plain; ${paths.join(' ')}\n${servers}\n}\n`,
    );
    const args = ['-c', join(directory, 'nginx.conf'), '-e', 'stderr'];
    const server =
      namespace === undefined
        ? new Nginx('nginx', args)
        : new Nginx('ip', ['netns', 'exec', namespace, 'nginx', ...args]);
    const deadline = performance.now() + READY_MS;
    while (!(isSeenFrom === undefined ? await isOpen(address, port) : isOpenIn(isSeenFrom, address, port))) {
      if (performance.now() > deadline) throw new Error(`nginx is not ready: ${server.#log}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return server;
  }

  get pid(): number {
    return this.#child.pid!;
  }

  get log(): string {
    return this.#log;
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGTERM');
    await this.#ended;
  }
}

function isOpenIn(namespace: string, address: string, port: number): boolean {
  const attempt = `exec 3<>/dev/tcp/${address}/${port}`;
  return spawnSync('ip', ['netns', 'exec', namespace, 'bash', '-c', attempt]).status === 0;
}

function isOpen(address: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, address);
    socket.once('connect', () => {
      socket.resetAndDestroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
