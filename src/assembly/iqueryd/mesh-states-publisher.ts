// What is heard of other machines, for healthd.

import type { MeshServer, MeshState, MeshVerdict, MeshVirtual } from '../../ipc/mesh-schema.ts';
import { ReportPublisher } from '../report-publisher.ts';

/** Things of one report, which stays below a message's limit with the longest names and reasons. */
const PER_REPORT = 100;

export type Said =
  | { readonly kind: 'server'; readonly said: MeshServer }
  | { readonly kind: 'virtual'; readonly said: MeshVirtual }
  | { readonly kind: 'verdict'; readonly said: MeshVerdict };

export type SaidName =
  | { readonly kind: 'server'; readonly name: string }
  | { readonly kind: 'virtual'; readonly server: string; readonly name: string }
  | { readonly kind: 'verdict'; readonly server: string; readonly of: MeshVerdict['kind']; readonly key: string };

export type MeshStatesPublisher = ReportPublisher<Said, Said | SaidName, MeshState>;

export function newMeshStatesPublisher(all: () => Iterable<Said>): MeshStatesPublisher {
  return new ReportPublisher<Said, Said | SaidName, MeshState>({
    all,
    keyOf,
    reportOf: (said, gone, place) => ({
      ...place,
      servers: said.flatMap((each) => (each.kind === 'server' ? [each.said] : [])),
      virtuals: said.flatMap((each) => (each.kind === 'virtual' ? [each.said] : [])),
      verdicts: said.flatMap((each) => (each.kind === 'verdict' ? [each.said] : [])),
      goneServers: gone.map(nameOf).flatMap((each) => (each.kind === 'server' ? [each.name] : [])),
      goneVirtuals: gone
        .map(nameOf)
        .flatMap((each) => (each.kind === 'virtual' ? [{ server: each.server, name: each.name }] : [])),
      goneVerdicts: gone
        .map(nameOf)
        .flatMap((each) => (each.kind === 'verdict' ? [{ server: each.server, kind: each.of, key: each.key }] : [])),
    }),
    perReport: PER_REPORT,
  });
}

function nameOf(each: Said | SaidName): SaidName {
  if (!('said' in each)) return each;
  switch (each.kind) {
    case 'server':
      return { kind: 'server', name: each.said.server };
    case 'virtual':
      return { kind: 'virtual', server: each.said.server, name: each.said.name };
    case 'verdict':
      return { kind: 'verdict', server: each.said.server, of: each.said.kind, key: each.said.key };
  }
}

function keyOf(each: Said | SaidName): string {
  const name = nameOf(each);
  switch (name.kind) {
    case 'server':
      return `server ${name.name}`;
    case 'virtual':
      return `virtual ${name.server} ${name.name}`;
    case 'verdict':
      return `verdict ${name.server} ${name.of} ${name.key}`;
  }
}
