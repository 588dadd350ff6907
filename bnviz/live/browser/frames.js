// Decodes a frame (bnviz/live/frames.py): arrays become views on the message's own bytes, nothing is copied.

const TYPED = {
  float32: Float32Array,
  float64: Float64Array,
  int8: Int8Array,
  int16: Int16Array,
  int32: Int32Array,
  uint8: Uint8Array,
  uint16: Uint16Array,
  uint32: Uint32Array,
  bool: Uint8Array,
};
const MAGIC = "BNV1";

/** @param {ArrayBuffer} buffer  @returns {{header: object, charts: Object<string, {data: object[], layout: object}>}} */
export function decode(buffer) {
  const bytes = new DataView(buffer);
  const magic = String.fromCharCode(...new Uint8Array(buffer, 0, 4));
  if (magic !== MAGIC) throw new Error(`A frame begins with ${MAGIC}, not with ${magic}.`);
  const length = bytes.getUint32(4, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length)));
  const charts = {};
  for (const [name, spec] of Object.entries(header.charts)) {
    charts[name] = withArrays(spec, buffer, 8 + length + header.bases[name]);
  }
  delete header.charts;
  delete header.bases;
  return { header, charts };
}

function withArrays(value, buffer, base) {
  if (Array.isArray(value)) return value.map((one) => withArrays(one, buffer, base));
  if (value === null || typeof value !== "object") return value;
  if (value.$) return arrayOf(buffer, base, ...value.$);
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, withArrays(one, buffer, base)]));
}

/** A typed array, or nested plain arrays of typed rows, as Plotly takes the z of a heat map. */
function arrayOf(buffer, base, offset, dtype, shape) {
  const Typed = TYPED[dtype];
  const size = shape[shape.length - 1];
  if (shape.length === 1) return new Typed(buffer, base + offset, size);
  const stride = shape.slice(1).reduce((product, n) => product * n, Typed.BYTES_PER_ELEMENT);
  return Array.from({ length: shape[0] }, (_, row) =>
    arrayOf(buffer, base, offset + row * stride, dtype, shape.slice(1)),
  );
}
