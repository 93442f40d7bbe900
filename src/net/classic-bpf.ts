// Programs of classic BPF (linux/bpf_common.h), by which the kernel decides what a socket receives.

/** Codes of instructions. */
export const Code = {
  loadWord: 0x20,
  loadHalf: 0x28,
  loadByte: 0x30,
  /** Relative to the index register. */
  loadHalfIndexed: 0x48,
  loadByteIndexed: 0x50,
  /** The length of the IPv4 header at an offset, into the index register. */
  indexHeader: 0xb1,
  index: 0x01,
  jump: 0x05,
  jumpEqual: 0x15,
  jumpGreater: 0x25,
  jumpBits: 0x45,
  give: 0x06,
} as const;
/** Octets of an instruction. */
const INSTRUCTION = 8;
const WHOLE = 0xffff_ffff;

export type Instruction = readonly [code: number, jumpTrue: number, jumpFalse: number, operand: number];

export const refuse: Instruction = [Code.give, 0, 0, 0];
export const accept: Instruction = [Code.give, 0, 0, WHOLE];

/** The program as the kernel takes it. */
export function assemble(instructions: readonly Instruction[]): Uint8Array {
  const program = new DataView(new ArrayBuffer(instructions.length * INSTRUCTION));
  for (const [index, [code, jumpTrue, jumpFalse, operand]] of instructions.entries()) {
    const at = index * INSTRUCTION;
    program.setUint16(at, code, true);
    program.setUint8(at + 2, jumpTrue);
    program.setUint8(at + 3, jumpFalse);
    program.setUint32(at + 4, operand, true);
  }
  return new Uint8Array(program.buffer);
}
