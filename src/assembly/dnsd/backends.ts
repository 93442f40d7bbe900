// The name servers that queries are handed to: one forwarder for all listeners whose profiles say the same.

import type { DnsProfile } from '../../config/types/ltm-profile-dns.ts';
import { errorText } from '../../core/errors.ts';
import { logEvent } from '../../core/log-codes.ts';
import type { Log } from '../../core/log.ts';
import { answerOptions, backendOf, type OwnFacts } from './answer-options.ts';
import { type Deliver, Forwarder, type ForwarderOptions } from './forwarder.ts';

export class Backends {
  readonly #facts: OwnFacts;
  readonly #log: Log;
  /** By what they are made of. */
  readonly #forwarders = new Map<string, Promise<Forwarder>>();

  constructor(facts: OwnFacts, log: Log) {
    this.#facts = facts;
    this.#log = log;
  }

  /** Keeps those that these profiles need, and no others. */
  retain(profiles: readonly DnsProfile[]): void {
    const needed = new Set(profiles.map((profile) => keyOf(this.#optionsOf(profile))));
    for (const [key, forwarder] of this.#forwarders) {
      if (needed.has(key)) continue;
      this.#forwarders.delete(key);
      void forwarder.then((each) => each.close()).catch(() => undefined);
    }
  }

  /** Asks the name server of a profile; `client`: octets of the address of who asked. */
  forward(profile: DnsProfile, query: Uint8Array, isStream: boolean, client: Uint8Array, deliver: Deliver): void {
    const options = this.#optionsOf(profile);
    if (options === undefined) {
      // The profile has changed since.
      deliver(undefined);
      return;
    }
    const key = keyOf(options);
    let forwarder = this.#forwarders.get(key);
    if (forwarder === undefined) {
      forwarder = open(options);
      this.#forwarders.set(key, forwarder);
    }
    forwarder.then(
      (each) => each.forward(query, isStream, client, deliver),
      (error: unknown) => {
        this.#forwarders.delete(key);
        logEvent(this.#log, 'backend-failed', `BIND at ${options.address}: ${errorText(error)}`);
        deliver(undefined);
      },
    );
  }

  close(): void {
    this.retain([]);
  }

  #optionsOf(profile: DnsProfile): ForwarderOptions | undefined {
    const backend = backendOf(profile.properties);
    if (backend === undefined) return undefined;
    const { udpOctets, nsid, cookieKey } = answerOptions(profile, this.#facts);
    return {
      ...backend,
      udpOctets,
      insertSubnet: profile.properties['edns0-client-subnet-insert'],
      ...(nsid === undefined ? {} : { nsid }),
      ...(cookieKey === undefined ? {} : { cookieKey }),
    };
  }
}

async function open(options: ForwarderOptions): Promise<Forwarder> {
  const forwarder = new Forwarder(options);
  try {
    await forwarder.open();
    return forwarder;
  } catch (error) {
    forwarder.close();
    throw error;
  }
}

const keyOf = (options: ForwarderOptions | undefined): string => JSON.stringify(options);
