// Bridge domains and their members: a VLAN, a VLAN group, or a tunnel that stands alone, and what frames enter and leave by.
//
// A VLAN is a domain whose members are its interfaces, tagged or not; a VLAN group joins the members of its VLANs and its
// tunnels into one domain. Our own addresses are reached through the domain's MAC.

import type { Frame } from '../packet/frame.ts';
import type { Outlet } from '../pipeline/node.ts';
import type { Crossing } from './crossing.ts';

/** `local` stands for ourselves: what we originate comes in by it. */
export const MemberKind = { interface: 0, tunnel: 1, local: 2 } as const;

const MAX_MTU = 65_535;

/** What `Member.admittedOctets` is where frames of any size may come in, and where each has to be looked at. */
export const ADMITS_ALL = 0x3fff_ffff;
export const ADMITS_NONE = -1;

/** Whether packets come in where the route back to their source leads (source-checking). */
export interface SourceCheck {
  /** Whether the packet in a frame of this domain may come from where it says it does. */
  accepts(bytes: Uint8Array, frame: Frame, domain: Domain): boolean;
}

export class Domain {
  readonly id: number;
  readonly name: string;
  /** The route domain whose addresses are meant here. */
  routeDomain = 0;
  /** Whether the only member is a tunnel of packets without Ethernet headers: nothing is bridged here. */
  isLayer3 = false;
  /** The MAC of our own addresses in this domain; meaningful only with hasLocal. */
  macHigh = 0;
  macLow = 0;
  /** Whether frames to our own MAC, ARP and neighbour discovery are to be looked at here. */
  hasLocal = false;
  /** Whether IP between its members is addressed to us and routed (a group of mode opaque). */
  get routes(): boolean {
    return this.crossing?.isOpaque === true;
  }

  /** What holds between the VLANs and tunnels of a group; undefined when every frame passes as it is. */
  crossing: Crossing | undefined;
  /** Last 32 bits of the MAC addresses of the IPv4 multicast groups that we are members of here; few or none. */
  ipv4GroupMacs: readonly number[] = [];
  readonly members: Member[] = [];
  /** The smallest MTU of a member, in octets of IP packet; what a frame of unknown segment size is cut to. */
  mtu = MAX_MTU;
  /** Grows with every change of a member: ways that lead through the domain are then to be looked at again. */
  changes = 0;
  /** The member that stands for ourselves; not among `members`. */
  localMember = -1;

  constructor(id: number, name: string) {
    this.id = id;
    this.name = name;
  }

  /** To be called when members or their MTUs have changed. */
  settleMembers(): void {
    this.changes += 1;
    this.mtu = this.members.reduce((least, { mtu }) => Math.min(least, mtu), MAX_MTU);
  }
}

export class Member {
  // What every frame to the member looks at stands together: with thousands of members each cache line counts.
  readonly id: number;
  readonly outlet: Outlet;
  /** Members with the same number other than 0 do not exchange frames. */
  splitHorizonGroup = 0;
  /** Whether the member takes part; frames for one that does not are dropped. */
  enabled = true;
  readonly name: string;
  readonly kind: number;
  readonly domain: Domain;
  /** Row of the counter table. */
  readonly row: number;
  /** Whether there is a port behind the member: one that is not open yet, or gone, is no place to flood to. */
  hasPort = true;
  /** Whether the member accepts frames of unknown, broadcast and multicast destination; otherwise floodingNone. */
  floods = true;
  /** Endpoints to which a tunnel replicates what is flooded; empty for interfaces and point-to-point tunnels. */
  floodEndpoints: readonly number[] = [];
  /** Whether floodEndpoints decides (replication), or one copy to the member itself is all (the rest). */
  replicates = false;
  /** Whether stations behind this member are learned. */
  learns = true;
  /** The VLAN or tunnel within a group; what passes between two numbers crosses the group. */
  segment = 0;
  /** Largest IP packet that may leave by it, in octets. */
  mtu = MAX_MTU;
  /** Frames up to this many octets come in without being looked at; ADMITS_NONE: each is. */
  admittedOctets = ADMITS_ALL;
  sourceCheck: SourceCheck | undefined;

  // The station that was learned last, and when: most frames of a burst come from the station of the one before, and
  // this saves them the table look-up.
  lastMacHigh = -1;
  lastMacLow = 0;
  lastEndpoint = -1;
  lastSecond = -1;

  constructor(id: number, name: string, kind: number, domain: Domain, row: number, outlet: Outlet) {
    this.id = id;
    this.name = name;
    this.kind = kind;
    this.domain = domain;
    this.row = row;
    this.outlet = outlet;
  }

  /** Makes the next frame learn anew: after entries of this member were forgotten. */
  forgetLast(): void {
    this.lastMacHigh = -1;
  }
}
