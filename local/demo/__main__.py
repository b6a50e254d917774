"""``python -m local.demo``: the body of ``make demo``.

It brings a throwaway cluster up and takes it away again. ``KEEP=1`` leaves everything for a look around,
``CONTEXT=… [IMAGE=…] [OPERATOR_IMAGE=…]`` uses an existing cluster instead.
"""

import asyncio
import os
import subprocess
import sys

from local import progress as progresses
from local.cluster import api as clusters
from local.cluster import layout, lifecycle
from local.demo import access, existing, installation, models, report, session, traffic, view
from local.demo import board as boards

INTERRUPTED_EXIT_CODE = 130


def main() -> int:
    """Run the demo; returns its exit code."""
    progress = progresses.Progress(name="demo")
    try:
        wanted = existing.wanted()
        return _run_in_context(wanted, progress) if wanted else _run_locally(progress)
    except progresses.MissingError as error:
        print(f"demo: {error}", file=sys.stderr)
        return progresses.MISSING_EXIT_CODE
    except (RuntimeError, TimeoutError, subprocess.CalledProcessError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED_EXIT_CODE


def _run_locally(progress: progresses.Progress) -> int:
    was_up = clusters.current() is not None
    cluster = clusters.ensure_up()
    try:
        return _on_local_cluster(cluster, progress)
    finally:
        if os.environ.get("KEEP"):
            _print_commands(_local_shell())
        elif was_up:
            progress.say("cleaning up: the cluster was up before, so it stays")
            reached = access.of_local(cluster)
            installation.remove_namespace(reached)
            installation.uninstall_operator(reached)
        else:
            lifecycle.down(layout.selected(), progress)


def _on_local_cluster(cluster: clusters.Cluster, progress: progresses.Progress) -> int:
    known = _trained(progress)
    operator, server = installation.operator_build(), installation.server_build()
    installation.load_images(cluster, progress, operator, server)
    reached = access.of_local(cluster)
    progress.say("installing the operator with its chart")
    installation.remove_namespace(reached)
    user = installation.install_operator(reached, operator.name, keep_crds=False)
    installation.create_namespace(reached, known)
    return _run_steps(
        session.Session(
            access=reached,
            known=known,
            image=server.name,
            operator_user=user,
            place_client=lambda: traffic.place_on_machine(reached, known),
            board=boards.Board(started=progress.started),
        ),
        progress,
    )


def _run_in_context(wanted: existing.Wanted, progress: progresses.Progress) -> int:
    reached = existing.reach(wanted.context)
    known = _trained(progress)
    was_installed = installation.is_installed(reached)
    try:
        if was_installed:
            progress.say("the operator is installed already: it is used as it is")
        else:
            progress.say("installing the operator with its chart")
            installation.install_operator(reached, wanted.operator_image)
        return _in_context(wanted, reached, known, progress)
    finally:
        if os.environ.get("KEEP"):
            _print_commands([])
        else:
            progress.say("cleaning up")
            installation.remove_namespace(reached)
            if not was_installed:
                installation.uninstall_operator(reached)


def _in_context(
    wanted: existing.Wanted, reached: access.Access, known: models.Models, progress: progresses.Progress
) -> int:
    image = installation.operator_image(reached)
    progress.say("copying the models into the cluster")
    installation.remove_namespace(reached)
    existing.copy_models(reached, known, image=image)
    return _run_steps(
        session.Session(
            access=reached,
            known=known,
            image=wanted.server_image,
            operator_user="",
            place_client=lambda: existing.place_in_cluster(reached, known, image=image),
            board=boards.Board(started=progress.started),
        ),
        progress,
    )


def _trained(progress: progresses.Progress) -> models.Models:
    known = models.ensure(progress)
    progress.say(
        f"the classifier is trained on {known.trained} digits; on {known.held_out} others version 1 is right "
        f"in {known.accuracy[1]:.1%}, version 6 in {known.accuracy[6]:.1%}"
    )
    return known


def _run_steps(run: session.Session, progress: progresses.Progress) -> int:
    progress.say("six versions of the model follow, one after the other")
    made = asyncio.run(run.run())
    path = installation.checkout() / "build" / "demo" / "report.json"
    report.write(made, path)
    report.show(made, view.console())
    progress.say(f"the report is in {path.relative_to(installation.checkout())}")
    return 1 if made.broken else 0


def _local_shell() -> list[tuple[str, str]]:
    name = os.environ.get(layout.NAME_VARIABLE)
    make = f"{layout.NAME_VARIABLE}={name} make" if name else "make"
    return [
        (f"{make} cluster-shell", "a shell with kubectl and helm, for the commands below"),
        (f"{make} cluster-down", "when you are done"),
    ]


def _print_commands(shell: list[tuple[str, str]]) -> None:
    commands = [
        *shell,
        ("kubectl -n tfserving-demo get tfmd digits", "the ModelDeployment in one line"),
        ("kubectl -n tfserving-demo describe tfmd digits", "conditions, rejections, Events"),
        ("kubectl -n tfserving-demo get deploy,svc,pod", "what the operator made of it"),
        ("kubectl -n tfserving-system logs deploy/tfserving-operator", "what it says"),
    ]
    print("Everything stays as it is (KEEP=1). To look around:")
    for command, meaning in commands:
        print(f"  {command:<62} {meaning}")


if __name__ == "__main__":
    sys.exit(main())
