// Types that the answers themselves depend on, by number (RFC 1035, section 3.2.2; RFC 4034; RFC 6672).

export const RecordType = {
  a: 1,
  ns: 2,
  cname: 5,
  soa: 6,
  mx: 15,
  aaaa: 28,
  dname: 39,
  ds: 43,
  any: 255,
} as const;
