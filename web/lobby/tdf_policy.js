// The policy inside a sealed object, read exactly as key services read it: src/data/data_policy.h.
import { fromBase64, fromUtf8, utf8 } from './tdf_bytes.js';
import { parseJson } from './tdf_json.js';

const [kPolicyTextMax, kDepthMax] = [256 * 1024, 8];
const [kAttributesMax, kDissemMax] = [256, 1024];
const [kFqnMax, kUuidMax] = [1024, 128];

const isPlain = (part) => /^[!-~]+$/.test(part) && !/[/"\\<>]/.test(part);
const isObject = (value) => value !== null && typeof value === 'object' && !Array.isArray(value);

// { name, value } of an attribute's full name, in lower case, or nothing.
function attributeOf(one) {
  if (!isObject(one) || typeof one.attribute !== 'string') return undefined;
  const fqn = one.attribute.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
  const scheme = /^https?:\/\//.exec(fqn)?.[0].length;
  const attr = fqn.indexOf('/attr/');
  const value = fqn.indexOf('/value/', attr + 6);
  if (utf8(fqn).length > kFqnMax || scheme === undefined || attr <= scheme || value < 0) return undefined;
  const parts = [fqn.slice(scheme, attr), fqn.slice(attr + 6, value), fqn.slice(value + 7)];
  return parts.every(isPlain) ? { name: parts[1], value: parts[2] } : undefined;
}

// Null and a missing list are the same in what others write.
function listOf(body, name, max) {
  const list = body[name] ?? [];
  return Array.isArray(list) && list.length <= max ? list : undefined;
}

// Its attributes, or nothing where key services refuse it.
export function attributesOf(policyText) {
  let json;
  try {
    json = parseJson(fromUtf8(fromBase64(policyText)), kPolicyTextMax, kDepthMax);
  } catch {
    return undefined;
  }
  if (!isObject(json) || !isObject(json.body) || typeof json.uuid !== 'string') return undefined;
  if (json.uuid.length > kUuidMax || !isPlain(json.uuid)) return undefined;
  const attributes = listOf(json.body, 'dataAttributes', kAttributesMax)?.map(attributeOf);
  const dissem = listOf(json.body, 'dissem', kDissemMax);
  const isName = (one) => typeof one === 'string' && one !== '';
  return attributes?.every(Boolean) && dissem?.every(isName) ? attributes : undefined;
}
