// How does what is to be seen get onto the page?
//
// Pages are functions from what is known to elements (`h`). `show` puts them in place of what was there, and changes
// only what is different: focus, selection and scroll positions stay. No text ever becomes markup.

const SVG = "http://www.w3.org/2000/svg";
const HANDLERS = ["onclick", "oninput", "onchange", "onkeydown", "onsubmit", "ondragstart", "ondragend", "ondragover",
  "ondragleave", "ondrop", "ontoggle"];

export function h(tag, attributes = {}, ...children) {
  return made(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes = {}, ...children) {
  return made(document.createElementNS(SVG, tag), attributes, children);
}

function made(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element[name] = value;
    else if (name === "style") for (const [property, one] of Object.entries(value)) element.style.setProperty(property, one);
    else if (name === "value") element.value = value;
    else if (name === "checked") element.checked = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...nodes(children));
  return element;
}

function nodes(children) {
  return children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false && child !== "");
}

export function show(parent, ...children) {
  const wanted = nodes(children).map((child) => (child instanceof Node ? child : document.createTextNode(String(child))));
  const keyed = new Map();
  for (const child of parent.childNodes) if (child.dataset?.key) keyed.set(child.dataset.key, child);
  let here = parent.firstChild;
  for (const child of wanted) {
    const kept = keyed.get(child.dataset?.key);
    if (kept && kept !== here) {
      parent.insertBefore(kept, here);
      here = kept;
    }
    if (here && alike(here, child)) {
      const next = here.nextSibling;
      change(here, child);
      here = next;
    } else {
      parent.insertBefore(child, here);
    }
  }
  while (here) {
    const next = here.nextSibling;
    here.remove();
    here = next;
  }
}

function alike(one, other) {
  return one.nodeType === other.nodeType && one.nodeName === other.nodeName
    && (one.dataset?.key ?? "") === (other.dataset?.key ?? "");
}

function change(old, wanted) {
  if (old === wanted) return;
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== wanted.data) old.data = wanted.data;
    return;
  }
  for (const { name } of [...old.attributes]) {
    // What somebody opened stays open, whatever the page says.
    if (!wanted.hasAttribute(name) && !(name === "open" && old.nodeName === "DETAILS")) old.removeAttribute(name);
  }
  for (const { name, value } of wanted.attributes) {
    if (old.getAttribute(name) === value) continue;
    if (name === "style") old.style.cssText = value; // as an attribute, the content security policy refuses it
    else old.setAttribute(name, value);
  }
  for (const handler of HANDLERS) {
    if (old[handler] !== wanted[handler]) old[handler] = wanted[handler];
  }
  if ("value" in old && old !== document.activeElement && old.value !== wanted.value) old.value = wanted.value;
  if ("checked" in old && old.checked !== wanted.checked) old.checked = wanted.checked;
  if (!old.hasAttribute("data-own")) show(old, ...wanted.childNodes); // what has its own content minds it itself
}
