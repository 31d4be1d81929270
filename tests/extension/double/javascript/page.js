// What extensions use of the WebUI's page.
function gradioApp() {
    return document;
}

function doubleSubTab() {
    const buttons = Array.from(document.querySelector("#mode_img2img div").querySelectorAll("button"));
    return Math.max(0, buttons.findIndex((button) => button.classList.contains("selected")));
}

function doubleTurnTo(tab, sub, values) {
    document.querySelector("#tabs div").querySelectorAll("button")[tab].click();
    if (sub >= 0) document.querySelector("#mode_img2img div").querySelectorAll("button")[sub].click();
    return values;
}

function doubleOpenPicture() {
    const buttons = document.querySelectorAll("#txt2img_gallery .thumbnail-item.thumbnail-small");
    return Array.from(buttons).findIndex((button) => button.classList.contains("selected"));
}

// The id of a new task. Until the server has ended it, Interrupt lies over Generate: nobody can click there.
function doubleTask(tab) {
    const id = `task(${Math.random().toString(36).slice(2)})`;
    const over = document.querySelector(`#${tab}_interrupt`);
    const asked = {method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify({id_task: id})};
    async function look() {
        const completed = await fetch("./internal/progress", asked).then((answer) => answer.json())
            .then((answer) => answer.completed, () => true);
        if (completed) over.style.display = "none";
        else setTimeout(look, 500);
    }
    over.style.display = "block";
    look();
    return id;
}

// Texts are translated when they are added to the page, and not when they change.
new MutationObserver((changes) => {
    const texts = window.localization || {};
    for (const change of changes) {
        for (const added of change.addedNodes) {
            const walker = document.createTreeWalker(added, NodeFilter.SHOW_TEXT);
            for (let node = added.nodeType === 3 ? added : walker.nextNode(); node; node = walker.nextNode()) {
                const words = node.textContent.trim();
                const outside = !node.parentElement || !["SCRIPT", "STYLE"].includes(node.parentElement.nodeName);
                if (outside && texts[words]) node.textContent = texts[words];
            }
        }
    }
}).observe(document.documentElement, {childList: true, subtree: true});
