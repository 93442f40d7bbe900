// From the objects of the configuration to what is answered from: numbers for threads, and an index of which number is which object.
// Everything that does not change from answer to answer is decided here: which pools there are, in which order members stand, what
// records look like, and which wide IP a member's name is.

import { compileIndex } from './compile-index.ts';
import { compileNames } from './compile-names.ts';
import { TargetFinder } from './compile-targets.ts';
import { compileTopology } from './compile-topology.ts';
import type { GtmDescription, MemberMode } from './description.ts';
import { OctetStore, shareWords } from './octet-store.ts';
import {
  carriedPools,
  carriedWideIps,
  packMembers,
  packMemberSlots,
  packPools,
  packQos,
  packReferences,
  packWideIps,
} from './pack-tables.ts';
import { PATH_NEIGHBOURS, stateLayout, type StateLayout } from './state-layout.ts';
import type { GtmIndex, TableSettings, WideIpTables } from './tables.ts';
import { TopologySubjects } from './topology-subjects.ts';
import { WideIpFinder } from './wide-ip-names.ts';

export type CompiledWideIps = { readonly index: GtmIndex; readonly tables: WideIpTables };

/** Slots of the table of paths, where somebody goes by paths. */
const PATH_SLOTS = 1 << 16;
const PATH_MODES: ReadonlySet<MemberMode> = new Set([
  'completion-rate',
  'fewest-hops',
  'lowest-round-trip-time',
  'quality-of-service',
]);

/** `previous`: what is answered from until now, whose turns are carried on. */
export function compileWideIps(description: GtmDescription, previous?: CompiledWideIps): CompiledWideIps {
  const octets = new OctetStore();
  const names = compileNames(description.wideIps, octets);
  const targets = new TargetFinder(new WideIpFinder({ names, octets: octets.octets }));
  const { index, ratios } = compileIndex(description, targets);
  const parts = { index, octets, subjects: new TopologySubjects(index) };
  const wideIps = packWideIps(parts);
  const pools = packPools(parts);
  const members = packMembers(parts, targets);
  const tables: WideIpTables = {
    layout: layoutOf(index),
    wideIps,
    references: packReferences(parts, ratios),
    pools,
    members,
    memberSlots: packMemberSlots(members),
    targets: shareWords(targets.rows),
    qos: packQos(index),
    octets: octets.share(),
    names,
    topology: compileTopology(
      {
        regions: description.regions,
        topology: description.topology,
        longestMatch: description.settings.topologyLongestMatch,
      },
      parts.subjects.all,
    ),
    settings: settingsOf(description),
    carriedPools: carriedPools(index, previous?.index),
    carriedWideIps: carriedWideIps(index, previous?.index),
  };
  return { index, tables };
}

function layoutOf({ virtualServers, members, pools, wideIps }: GtmIndex): StateLayout {
  const goesByPaths = pools.some(({ pool: { preferred, alternate, fallback } }) =>
    [preferred, alternate, fallback].some((mode) => PATH_MODES.has(mode)),
  );
  return stateLayout({
    virtualServers: virtualServers.length,
    members: members.length,
    pools: pools.length,
    wideIps: wideIps.length,
    pathSlots: goesByPaths ? PATH_SLOTS : PATH_NEIGHBOURS,
  });
}

function settingsOf({ settings }: GtmDescription): TableSettings {
  return {
    topologyAllowZeroScores: settings.topologyAllowZeroScores,
    staticPersistIpv4Bits: settings.staticPersistIpv4Bits,
    staticPersistIpv6Bits: settings.staticPersistIpv6Bits,
    drainPersistentRequests: settings.drainPersistentRequests,
    ignorePathTtl: settings.ignorePathTtl,
  };
}
