// Configurations as large as a data centre's, as text: many tunnels, each with its stations.

export type LargeConfiguration = {
  tunnels: number;
  /** Static stations, in equal parts behind the tunnels. */
  stations: number;
  /** Whether the two interfaces, VLANs and the self IP are part of it; without, it is to be merged into such a one. */
  withUnderlay: boolean;
  /** Number of the first tunnel and VNI. */
  first?: number;
};

export const UNDERLAY_MTU = 1600;
const NAME_DIGITS = 5;

/** `vx00017`. */
export const tunnelName = (number: number): string => `vx${String(number).padStart(NAME_DIGITS, '0')}`;

/** The remote end of a tunnel: 10.9.8.0 and up, within 10.9.0.0/16. */
export const remoteOf = (number: number): string => `10.9.${8 + ((number >> 8) & 127)}.${number & 255}`;

/** 02:bb and the station's number. */
export const stationMac = (number: number): string => {
  const digits = (number >>> 0).toString(16).padStart(8, '0');
  return `02:bb:${digits.slice(0, 2)}:${digits.slice(2, 4)}:${digits.slice(4, 6)}:${digits.slice(6)}`;
};

/** tmsh text. Station s lives behind tunnel s modulo their number. All tunnels and the VLAN `inside` are in one VLAN group. */
export function largeConfiguration({ tunnels, stations, withUnderlay, first = 0 }: LargeConfiguration): string {
  const lines = withUnderlay ? [underlay()] : [];
  const numbers = Array.from({ length: tunnels }, (_, index) => first + index);
  for (const number of numbers) {
    lines.push(
      `net tunnels tunnel ${tunnelName(number)} {`,
      `    key ${number + 1}`,
      '    local-address 10.9.1.1',
      '    profile vxlan-multipoint',
      `    remote-address ${remoteOf(number)}`,
      '}',
    );
  }
  for (const [index, number] of numbers.entries()) {
    if (index >= stations) break;
    lines.push(`net fdb tunnel ${tunnelName(number)} {`, '    records {');
    for (let station = index; station < stations; station += tunnels) {
      lines.push(
        `        ${stationMac((first << 16) + station)} {`,
        `            endpoint ${remoteOf(number)}`,
        '        }',
      );
    }
    lines.push('    }', '}');
  }
  if (withUnderlay) {
    const members = ['inside', ...numbers.map(tunnelName)].join(' ');
    lines.push(`net vlan-group bridge1 { members { ${members} } mode transparent bridge-traffic enabled }`);
  }
  return `${lines.join('\n')}\n`;
}

function underlay(): string {
  return [
    'net interface 1.1 { device e0 adapter packet-ring address-owner wideplane transmit-offloads off }',
    'net interface 1.2 { device e1 adapter packet-ring address-owner wideplane transmit-offloads off }',
    `net vlan wan { interfaces { 1.1 { untagged } } mtu ${UNDERLAY_MTU} }`,
    'net vlan inside { interfaces { 1.2 { untagged } } }',
    'net self wan-self { address 10.9.1.1/16 vlan wan }',
  ].join('\n');
}
