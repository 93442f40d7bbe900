// Says for addresses by which VLAN or tunnel their stations were heard last, and has the stations asked, so that the next who wants to
// know hears where they are now.

import { type AddressWords, type IpAddress, parseAddress, wordsShareNetwork } from '../../core/address.ts';
import { formatMacNumbers } from '../../core/mac.ts';
import type { Station } from '../../ipc/healthd-schema.ts';
import { NEIGHBOUR_STRIDE, NeighbourField, NeighbourState } from '../../route/neighbour-table.ts';
import type { SelfModel } from './model.ts';
import type { ShowSources } from './show-service.ts';

type Place = { readonly domain: number; readonly address: AddressWords };

type Sources = () => Pick<ShowSources, 'model' | 'planner' | 'worker'>;
type Seek = (places: readonly Place[]) => Promise<void>;

const keyOf = (domain: number, [a, b, c, d]: AddressWords): string => `${domain} ${a} ${b} ${c} ${d}`;

export class StationLocator {
  readonly #sources: Sources;
  readonly #seek: Seek;

  /** `seek`: has the neighbours asked for. */
  constructor(sources: Sources, seek: Seek) {
    this.#sources = sources;
    this.#seek = seek;
  }

  /** In the order of the question. */
  async locate(addresses: readonly string[]): Promise<Station[]> {
    const { model, planner } = this.#sources();
    const selfs = [...model.selfs.values()];
    const networks = addresses.map((text) => {
      const address = parseAddress(text);
      const self = address && nearest(selfs, address);
      return (
        address &&
        self && {
          network: self.domain,
          domain: planner.domain(self.domain),
          address: address.words,
        }
      );
    });
    const known = this.#resolved(
      new Set(networks.flatMap((place) => (place ? [keyOf(place.domain, place.address)] : []))),
    );
    const stations = addresses.map((address, index): Station => {
      const place = networks[index];
      if (place === undefined) return { address };
      return {
        address,
        network: place.network,
        ...known.get(keyOf(place.domain, place.address)),
      };
    });
    await this.#seek(networks.flatMap((place) => place ?? []).map(({ domain, address }) => ({ domain, address })));
    return stations;
  }

  /** Of those that are wanted, the ones that have answered. */
  #resolved(wanted: ReadonlySet<string>): Map<string, Pick<Station, 'member' | 'isTunnel' | 'mac'>> {
    const { model, planner, worker } = this.#sources();
    const names = planner.memberNames();
    const mirror = new Int32Array(worker.tables.neighbours);
    const found = new Map<string, Pick<Station, 'member' | 'isTunnel' | 'mac'>>();
    for (let at = 0; at < mirror.length; at += NEIGHBOUR_STRIDE) {
      const domain = mirror[at + NeighbourField.domain]!;
      if (domain === 0 || mirror[at + NeighbourField.state]! < NeighbourState.reachable) continue;
      const [a, b, c, d] = mirror.subarray(at + NeighbourField.address, at + NeighbourField.address + 4);
      const key = keyOf(domain, [a!, b!, c!, d!]);
      if (!wanted.has(key)) continue;
      const mac = formatMacNumbers(mirror[at + NeighbourField.macHigh]!, mirror[at + NeighbourField.macLow]!);
      const name = names.get(mirror[at + NeighbourField.member]!);
      const segment = name === undefined ? undefined : model.interfaceMembers.get(name)?.segment;
      const isTunnel = name !== undefined && model.tunnelMembers.has(name);
      const member = segment ?? (isTunnel ? name : undefined);
      found.set(key, member === undefined ? { mac } : { mac, member, isTunnel });
    }
    return found;
  }
}

/** The self IP whose network has the address, of several the one with the longest prefix. */
function nearest(selfs: readonly SelfModel[], { words, family, routeDomain }: IpAddress): SelfModel | undefined {
  const isIpv6 = family === 6;
  let best: SelfModel | undefined;
  for (const self of selfs) {
    if (self.isIpv6 !== isIpv6 || self.routeDomain !== routeDomain) continue;
    if (!wordsShareNetwork(self.words, words, self.prefixBits, isIpv6)) continue;
    if (best === undefined || self.prefixBits > best.prefixBits) best = self;
  }
  return best;
}
