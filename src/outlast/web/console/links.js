// The address of a page, or of one thing on it.

export const linkTo = (path, name = "") => `#/${path}${name ? `/${encodeURIComponent(name)}` : ""}`;
