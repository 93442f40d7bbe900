// Discovery: virtual servers that another machine says it has become virtual servers of its `gtm server`, by a command to configd as a
// person would type it, and go when the machine has them no more.
//
// What discovery has made is told by its ltm-name, which is the name on the machine. What a person has made stays as it is: one with the
// same destination, or of the same name, is that virtual server already.

import { formatDestination } from '../../config/gtm-kinds.ts';
import type { AnyConfigObject } from '../../config/object-type.ts';
import { quote } from '../../config/scanner.ts';
import { parseAddress } from '../../core/address.ts';
import { errorText } from '../../core/errors.ts';
import { logEvent } from '../../core/log-codes.ts';
import type { Channel, RecordMessage, RecordOf } from '../../iquery/messages.ts';
import { recordsIn, textOf } from '../healthd/describe-watches.ts';
import type { FeatureContext, IqueryFeature, IqueryWant } from './feature.ts';

export type DiscoveryOptions = Pick<FeatureContext, 'clock' | 'log'> & {
  /** Has configd run a command; rejects with what it says. */
  readonly run: (command: string) => Promise<unknown>;
};

type Virtual = RecordOf<'vs'>;

/** What is to be done to a `gtm server`. */
export type Difference = {
  readonly add: readonly { readonly name: string; readonly destination: string }[];
  readonly remove: readonly string[];
};

export class DiscoveryFeature implements IqueryFeature {
  readonly channels: readonly Channel[] = ['vs'];
  readonly #options: DiscoveryOptions;
  /** By server: what its machine has said, once that was whole. */
  readonly #heard = new Map<string, Map<string, Virtual>>();
  #want: IqueryWant | undefined;
  #cancel: (() => void) | undefined;
  #isRunning = false;
  /** What could not be done, as it was said, by server. */
  readonly #said = new Map<string, string>();

  constructor(options: DiscoveryOptions) {
    this.#options = options;
  }

  want(want: IqueryWant): void {
    this.#want = want;
    const servers = new Set(want.peers.map(({ server }) => server));
    for (const server of this.#heard.keys()) if (!servers.has(server)) this.#heard.delete(server);
    if (this.#isOn()) this.#arm(this.#intervalMs());
    else this.#disarm();
  }

  onWhole(server: string, _channel: Channel, records: readonly RecordMessage[]): void {
    this.#heard.set(server, new Map(records.flatMap((each) => (each.message === 'vs' ? [[each.name, each]] : []))));
    // The first look is right behind the connection.
    if (this.#isOn()) void this.#look(server);
  }

  onRecord(server: string, record: RecordMessage): void {
    if (record.message === 'vs') this.#heard.get(server)?.set(record.name, record);
  }

  onForgotten(server: string, _channel: Channel, key: string): void {
    this.#heard.get(server)?.delete(key);
  }

  stop(): void {
    this.#disarm();
  }

  #isOn(): boolean {
    return this.#general()['auto-discovery'] === true;
  }

  #general(): AnyConfigObject['properties'] {
    return this.#want?.objectsOf('gtm global-settings general')[0]?.properties ?? {};
  }

  #intervalMs(): number {
    const seconds = this.#general()['auto-discovery-interval'];
    return 1000 * (typeof seconds === 'number' ? Math.max(1, seconds) : 30);
  }

  #arm(milliseconds: number): void {
    this.#cancel ??= this.#options.clock.setTimer(milliseconds, () => {
      this.#cancel = undefined;
      void this.#lookAtAll();
    });
  }

  #disarm(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  async #lookAtAll(): Promise<void> {
    for (const server of [...this.#heard.keys()]) await this.#look(server);
    if (this.#isOn()) this.#arm(this.#intervalMs());
  }

  async #look(server: string): Promise<void> {
    const want = this.#want;
    const heard = this.#heard.get(server);
    if (this.#isRunning || want === undefined || heard === undefined) return;
    // This machine's own virtual servers are in its own configuration: another that is this one would find them twice.
    if (want.ownServers.has(server)) return;
    const object = want.objectsOf('gtm server').find(({ name }) => name === server);
    if (object === undefined) return;
    const difference = differenceOf(object, [...heard.values()]);
    const commands = commandsOf(object, difference);
    if (commands.length === 0) return;
    this.#isRunning = true;
    try {
      for (const command of commands) await this.#options.run(command);
      this.#said.delete(server);
      const { add, remove } = difference;
      const what = [...add.map(({ name }) => `+ ${name}`), ...remove.map((name) => `- ${name}`)].join(', ');
      logEvent(this.#options.log, 'iquery-discovered', `virtual servers of ${server}: ${what}`, { server });
    } catch (error) {
      const problem = errorText(error);
      if (this.#said.get(server) !== problem) {
        logEvent(this.#options.log, 'iquery-not-discovered', `virtual servers of ${server}: ${problem}`, { server });
      }
      this.#said.set(server, problem);
    } finally {
      this.#isRunning = false;
    }
  }
}

/** What discovery would change of a server, by what its machine has. */
export function differenceOf({ properties }: AnyConfigObject, heard: readonly Virtual[]): Difference {
  const mode = textOf(properties['virtual-server-discovery']);
  if (mode !== 'enabled' && mode !== 'enabled-no-delete') return { add: [], remove: [] };
  const known = Object.entries(recordsIn(properties['virtual-servers']));
  const ltmNames = new Set(known.map(([, virtual]) => textOf(virtual['ltm-name'])));
  const names = new Set(known.map(([name]) => name));
  const destinations = new Set(known.map(([, virtual]) => textOf(virtual.destination)));
  const there = heard.flatMap((virtual) => {
    const destination = destinationOf(virtual, properties['expose-route-domains'] === true);
    return destination === undefined ? [] : [{ name: virtual.name, destination }];
  });
  const add = there.filter(
    ({ name, destination }) => !ltmNames.has(name) && !names.has(name) && !destinations.has(destination),
  );
  const has = new Set(there.map(({ name }) => name));
  const remove =
    mode === 'enabled'
      ? known.flatMap(([name, virtual]) => {
          const ltmName = textOf(virtual['ltm-name']);
          return ltmName !== '' && ltmName === name && !has.has(ltmName) ? [name] : [];
        })
      : [];
  return { add, remove };
}

/** In a route domain of its own it is seen only where the server exposes those, and by its bare address. */
function destinationOf({ address: text, port }: Virtual, exposesDomains: boolean): string | undefined {
  const address = parseAddress(text);
  if (address === undefined || (address.routeDomain !== 0 && !exposesDomains)) return undefined;
  return formatDestination({ address, port });
}

function commandsOf({ name }: AnyConfigObject, { add, remove }: Difference): string[] {
  const commands: string[] = [];
  const change = `modify gtm server ${quote(name)} virtual-servers`;
  if (add.length > 0) {
    const records = add.map((each) => {
      const named = quote(each.name);
      return `${named} { destination ${each.destination} ltm-name ${named} }`;
    });
    commands.push(`${change} add { ${records.join(' ')} }`);
  }
  if (remove.length > 0) commands.push(`${change} delete { ${remove.map((each) => quote(each)).join(' ')} }`);
  return commands;
}
