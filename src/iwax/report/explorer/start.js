// Every explorer of the page is set up once the page has been painted; scripts and tests find them by their number.
window.iwax = { explorers: [] };
window.addEventListener("load", () => requestAnimationFrame(() => setTimeout(() => {
  for (const root of document.querySelectorAll(".explorer")) {
    const number = root.id.split("-")[1];
    const spec = JSON.parse(document.getElementById(`spec-${number}`).textContent);
    const tensors = parseSafetensors(document.getElementById(`weights-${number}`).textContent.trim());
    const Kind = spec.columns ? RowExplorer : ImageExplorer;
    window.iwax.explorers.push(new Kind(root, new Model(spec, tensors)));
  }
})));
