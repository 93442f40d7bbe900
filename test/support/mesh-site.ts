// One machine of a mesh under test: a `wideplane up` in a network namespace of its own, which a bridge joins with those of the others.

import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EXECUTABLE } from './executable.ts';
import { eventually, makeState, removeState, run, RunningUp } from '../daemon/supervise/running-up.ts';

/** The network: `ADDRESS.n` is site n. */
const NETWORK = '10.43.7';
const READY_MS = 90_000;

export type SiteOptions = { readonly config?: string; readonly number: number };

export class MeshNetwork {
  readonly bridge = `wpm${process.pid}`.slice(0, 15);
  readonly #namespaces: string[] = [];

  constructor() {
    run('ip', 'netns', 'add', this.#hub);
    run('ip', '-n', this.#hub, 'link', 'set', 'lo', 'up');
    run('ip', '-n', this.#hub, 'link', 'add', this.bridge, 'type', 'bridge');
    run('ip', '-n', this.#hub, 'link', 'set', this.bridge, 'up');
    run('ip', '-n', this.#hub, 'address', 'add', `${addressOf(254)}/24`, 'dev', this.bridge);
  }

  get #hub(): string {
    return `wideplane-hub-${process.pid}`;
  }

  /** Where strangers live. */
  get hub(): string {
    return this.#hub;
  }

  /** A namespace with the address of the number. */
  join(number: number): string {
    const name = `wideplane-mesh-${process.pid}-${number}`;
    const [inside, outside] = ['eth0', `site${number}`];
    run('ip', 'netns', 'add', name);
    this.#namespaces.push(name);
    run('ip', '-n', name, 'link', 'set', 'lo', 'up');
    run('ip', '-n', this.#hub, 'link', 'add', outside, 'type', 'veth', 'peer', 'name', inside, 'netns', name);
    run('ip', '-n', this.#hub, 'link', 'set', outside, 'master', this.bridge, 'up');
    run('ip', '-n', name, 'address', 'add', `${addressOf(number)}/24`, 'dev', inside);
    run('ip', '-n', name, 'link', 'set', inside, 'up');
    return name;
  }

  /** Cuts a site off, or joins it again. */
  connect(number: number, isConnected: boolean): void {
    run('ip', '-n', this.#hub, 'link', 'set', `site${number}`, isConnected ? 'up' : 'down');
  }

  close(): void {
    for (const name of [...this.#namespaces, this.#hub]) run('ip', 'netns', 'delete', name);
  }
}

export const addressOf = (number: number): string => `${NETWORK}.${number}`;

export class MeshSite {
  readonly number: number;
  readonly namespace: string;
  readonly state = makeState();
  readonly #config: string;
  up: RunningUp;

  constructor(network: MeshNetwork, { number, config = '' }: SiteOptions) {
    this.number = number;
    this.namespace = network.join(number);
    this.#config = `${this.state}.conf`;
    writeFileSync(this.#config, config);
    this.up = this.#start();
  }

  get address(): string {
    return addressOf(this.number);
  }

  /** A file below iqueryd's own /config. */
  file(path: string): string {
    return join(this.state, 'iqueryd', 'config', path);
  }

  get certificate(): string {
    return readFileSync(this.file('httpd/conf/ssl.crt/server.crt'), 'utf8');
  }

  async ready(): Promise<void> {
    await this.up.said(/^metricsd ready/, READY_MS);
    await eventually('a certificate', () => existsSync(this.file('big3d/client.crt')));
  }

  tmsh(command: string): string {
    return run(process.execPath, EXECUTABLE, 'tmsh', '--state', this.state, '-c', command);
  }

  /** `show gtm iquery` of an address, a space between words. */
  shown(address: string, ...options: readonly string[]): string {
    return this.tmsh(['show gtm iquery', address, ...options].join(' ')).replaceAll(/ +/g, ' ');
  }

  async showsState(address: string, state: string, timeoutMs = 30_000): Promise<string> {
    const pattern = new RegExp(`^State ${state}$`, 'm');
    return eventually(
      `${address} is ${state} at site ${this.number}`,
      () => {
        const text = this.shown(address);
        return pattern.test(text) && text;
      },
      timeoutMs,
    );
  }

  /** Puts a certificate into one of the bundles. */
  trust(certificate: string, ...bundles: readonly ('gtm/server.crt' | 'big3d/client.crt')[]): void {
    for (const bundle of bundles) appendFileSync(this.file(bundle), `\n${certificate}`);
  }

  logged(pattern: RegExp): string[] {
    return this.up.log.filter(({ daemon, msg }) => daemon === 'iqueryd' && pattern.test(msg)).map(({ msg }) => msg);
  }

  async stop(): Promise<void> {
    this.up.signal('SIGTERM');
    await this.up.exit();
    removeState(this.state);
    removeState(this.#config);
  }

  #start(): RunningUp {
    return new RunningUp(this.state, { namespace: this.namespace, config: this.#config });
  }
}

/** Each trusts the other in both directions. */
export function exchangeCertificates(sites: readonly MeshSite[]): void {
  for (const site of sites) {
    for (const other of sites) {
      if (other !== site) site.trust(other.certificate, 'gtm/server.crt', 'big3d/client.crt');
    }
  }
}

/** `gtm server` objects of sites. */
export const serversOf = (numbers: readonly number[]): string =>
  `gtm datacenter dc { }\n${numbers
    .map((n) => `gtm server s${n} { datacenter dc devices { s${n} { addresses { ${addressOf(n)} { } } } } }`)
    .join('\n')}\n`;
