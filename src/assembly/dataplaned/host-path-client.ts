// Asks the supervisor for the devices of the host path, all of them in one message, whenever one of them changes.

import { formatPrefix, networkOf, parseAddress, parsePrefix } from '../../core/address.ts';
import { errorText } from '../../core/errors.ts';
import { logEvent } from '../../core/log-codes.ts';
import { formatMacNumbers } from '../../core/mac.ts';
import type { Log } from '../../core/log.ts';
import type { ParamsOf, ResultOf } from '../../ipc/schema.ts';
import { IpProtocol } from '../../wire/ipv4.ts';
import type { Failure, HostPathModel, Model } from './model.ts';
import type { HostSocketSpec } from './spec.ts';

type Request = ParamsOf<'set-host-paths'>['paths'][number];
type Result = ResultOf<'set-host-paths'>['paths'][number];

/** The supervisor, as far as it concerns the host path. */
export type HostPathService = {
  /** Undefined when there is no supervisor. */
  set: (paths: Request[]) => Promise<Result[] | undefined>;
  sockets: () => Promise<ResultOf<'host-sockets'>['sockets']>;
};

const RETRY_MS = 5000;

export class HostPathClient {
  readonly #service: HostPathService;
  readonly #isThere: (device: string) => boolean;
  readonly #log: Log;
  #wanted: Request[] = [];
  #answer: Promise<void> = Promise.resolve();
  #results = new Map<string, Result>();
  #retry: NodeJS.Timeout | undefined;

  /** `isThere`: whether the machine has a device of this name. */
  constructor(service: HostPathService, isThere: (device: string) => boolean, log: Log) {
    this.#service = service;
    this.#isThere = isThere;
    this.#log = log;
  }

  /** Says what is wanted from now on. */
  want(model: Model): void {
    const paths = [...model.hostPaths.values()].map(requestOf);
    if (JSON.stringify(paths) === JSON.stringify(this.#wanted)) return;
    this.#wanted = paths;
    void this.#ask();
  }

  /** Resolves when what was wanted is there, or has failed. */
  settled(): Promise<void> {
    return this.#answer;
  }

  /** Resolves, when the supervisor has answered, to whether the device can be opened. */
  async prepare(device: string): Promise<{ ok: true } | { ok: false; reason: string }> {
    await this.#answer;
    // Somebody has deleted it since, or it is not heard of yet: the answer tells.
    if (!this.#isThere(device)) await this.#ask();
    const failure = this.#failureOf(device);
    return failure === undefined ? { ok: true } : { ok: false, reason: failure };
  }

  stop(): void {
    clearTimeout(this.#retry);
  }

  /** The namespace in which the host's end of a device is; undefined for the host's own. */
  namespaceOf(device: string): string | undefined {
    return this.#results.get(device)?.namespace;
  }

  /** Resolves to the connections that sockets of this host have from self IPs. */
  async connections(model: Model): Promise<HostSocketSpec[]> {
    await this.#answer;
    const sockets = await this.#service.sockets().catch((error: unknown) => {
      this.#log.warn(`connections of this host are not known: ${errorText(error)}`);
      return [];
    });
    const own = new Set(
      [...model.hostPaths.values()].flatMap(({ routeDomain, addresses }) =>
        addresses.map((address) => `${routeDomain} ${bare(address)}`),
      ),
    );
    return sockets.flatMap(({ routeDomain, local, localPort, remote, remotePort }) => {
      const [from, to] = [parseAddress(local), parseAddress(remote)];
      if (from === undefined || to === undefined || !own.has(`${routeDomain} ${local}`)) return [];
      const ends = { local: from.words, localPort, remote: to.words, remotePort };
      return [{ routeDomain, protocol: IpProtocol.tcp, ...ends }];
    });
  }

  failures(model: Model): Failure[] {
    return [...model.hostPaths.values()].flatMap(({ device, object }) => {
      const reason = this.#failureOf(device);
      return reason === undefined ? [] : [{ object, reason }];
    });
  }

  #failureOf(device: string): string | undefined {
    const result = this.#results.get(device);
    return result === undefined ? `device ${device} of the host path is not there` : result.failure;
  }

  #ask(): Promise<void> {
    clearTimeout(this.#retry);
    this.#answer = this.#answer.then(() => this.#askNow());
    return this.#answer;
  }

  async #askNow(): Promise<void> {
    const paths = this.#wanted;
    let results: Result[];
    try {
      const answer = await this.#service.set(paths);
      results =
        answer ?? paths.map(({ device }) => ({ device, failure: 'there is no "wideplane up" that makes devices' }));
    } catch (error) {
      results = paths.map(({ device }) => ({ device, failure: errorText(error) }));
    }
    for (const { device, failure } of results) {
      if (failure === undefined || this.#results.get(device)?.failure === failure) continue;
      logEvent(this.#log, 'port-failed', `host path: ${failure}`);
    }
    this.#results = new Map(results.map((result) => [result.device, result]));
    if (results.every(({ failure }) => failure === undefined)) return;
    this.#retry = setTimeout(() => void this.#ask(), RETRY_MS).unref();
  }
}

const bare = (address: string): string => address.split('/')[0]!;

function requestOf({ domain, device, mac, mtu, routeDomain, addresses, routes }: HostPathModel): Request {
  const networks = new Map<string, string>();
  for (const address of addresses) {
    const prefix = parsePrefix(address)!;
    const network = formatPrefix({ address: networkOf(prefix), length: prefix.length });
    if (!networks.has(network)) networks.set(network, bare(address));
  }
  return {
    object: domain,
    device,
    mac: formatMacNumbers(mac.high, mac.low),
    mtu,
    routeDomain,
    addresses,
    networks: [...networks].map(([network, source]) => ({ network, source })),
    routes,
  };
}
