// What `tcpdump -i NAME` listens to: the rows of the data plane at which the object of that name sees frames.

import type { AddressWords } from '../../core/address.ts';
import { fullPath } from '../../config/name.ts';
import { carriesPackets, usesHostStack } from '../../config/types/net-interface.ts';
import { serviceIsUdp, serviceNumber } from '../../tunnel/service.ts';
import { associationRowKey, selectorRowKey } from './ipsec-plan.ts';
import type { ShowSources } from './show-service.ts';

export type CapturePoint = {
  row: number;
  /** As a person knows it: `/Common/wan on 1.1`. */
  name: string;
  /** Set where the kernel takes off the outer headers: our own end of them. */
  socket: { address: AddressWords; service: number } | undefined;
  /** Whether what passes starts at the IP header. */
  isPackets?: boolean;
};

type Sources = Pick<ShowSources, 'view' | 'model' | 'planner'>;

/** Row of what can be charged to no object. */
const NO_OBJECT = 0;

/**
 * The points of an interface, VLAN, VLAN group or tunnel; a VLAN has one per interface, one of adapter `udp` or
 * `raw-ip` one per socket. Undefined when nothing has this name.
 */
export function findCapturePoints(sources: Sources, name: string): CapturePoint[] | undefined {
  const { view, model, planner } = sources;
  const port = view.interfaces.get(name);
  if (port !== undefined) {
    if (usesHostStack(port.properties.adapter)) return socketPoints(sources, port.properties.device);
    const isPackets = carriesPackets(port.properties.adapter);
    return model.interfaces.has(name) ? [{ row: planner.portRow(name), name, socket: undefined, isPackets }] : [];
  }
  const path = fullPath(name);
  const group = view.vlanGroups.get(path);
  if (group !== undefined) return group.properties.members.flatMap((member) => memberPoints(sources, member) ?? []);
  return memberPoints(sources, path);
}

/**
 * Every point there is: those that have names here, traffic selectors and security associations, and the row of drops that can be
 * charged to no object.
 */
export function allCapturePoints(sources: Sources): CapturePoint[] {
  const { view } = sources;
  const names = [...view.interfaces.keys(), ...view.vlans.keys(), ...view.tunnels.keys()];
  const points = names.flatMap((name) => findCapturePoints(sources, name) ?? []);
  return [{ row: NO_OBJECT, name: 'no object', socket: undefined }, ...points, ...ipsecPoints(sources)];
}

/** What is dropped there starts at its IP header. */
function ipsecPoints({ model, planner }: Sources): CapturePoint[] {
  const selectors = new Set([...model.selectors.values()].map(({ name }) => selectorRowKey(name)));
  const keys = [...selectors, ...[...model.associations.keys()].map(associationRowKey)];
  return keys.map((key) => ({ row: planner.row(key), name: key, socket: undefined, isPackets: true })).filter(exists);
}

function memberPoints({ view, model, planner }: Sources, path: string): CapturePoint[] | undefined {
  const isPackets = (domain: string | undefined): boolean => model.domains.get(domain ?? '')?.isLayer3 === true;
  if (view.tunnels.has(path)) {
    const tunnel = { row: planner.row(path), name: path, socket: undefined };
    return [{ ...tunnel, isPackets: isPackets(model.domainOf.get(path)) }].filter(exists);
  }
  if (!view.vlans.has(path)) return undefined;
  return [...model.interfaceMembers.values()]
    .filter((member) => member.key.startsWith(`${path} `))
    .map((member) => ({
      row: planner.row(member.key),
      name: member.name,
      socket: undefined,
      isPackets: isPackets(member.domain),
    }))
    .filter(exists);
}

function socketPoints({ model, planner }: Sources, device: string | undefined): CapturePoint[] {
  return [...model.sockets.values()]
    .filter((socket) => socket.device === device)
    .map(({ key, localAddress, group, bound, service }) => ({
      row: planner.portRow(key),
      name: socketName(group?.text ?? localAddress, service),
      socket: { address: bound, service },
    }));
}

function socketName(address: string, service: number): string {
  const number = serviceNumber(service);
  if (!serviceIsUdp(service)) return `${address} protocol ${number}`;
  return address.includes(':') ? `[${address}]:${number}` : `${address}:${number}`;
}

const exists = (point: CapturePoint): boolean => point.row !== NO_OBJECT;
