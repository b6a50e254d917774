"""``python -m local.demo``: the body of ``make demo``."""

import asyncio
import os
import subprocess
import sys

from local import progress as progresses
from local.cluster import api as clusters
from local.cluster import layout, lifecycle
from local.demo import access, installation, models, report, session, traffic, view
from local.demo import board as boards


def main() -> int:
    """Run the demo; returns its exit code."""
    progress = progresses.Progress(name="demo")
    try:
        return _run(progress)
    except progresses.MissingError as error:
        print(f"demo: {error}", file=sys.stderr)
        return progresses.MISSING_EXIT_CODE
    except (RuntimeError, TimeoutError, subprocess.CalledProcessError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1


def _run(progress: progresses.Progress) -> int:
    was_up = clusters.current() is not None
    cluster = clusters.ensure_up()
    try:
        return _on_local_cluster(cluster, progress)
    finally:
        if os.environ.get("KEEP"):
            _print_commands()
        elif was_up:
            progress.say("cleaning up: the cluster was up before, so it stays")
            reached = access.of_local(cluster)
            installation.remove_namespace(reached)
            installation.uninstall_operator(reached)
        else:
            lifecycle.down(layout.selected(), progress)


def _on_local_cluster(cluster: clusters.Cluster, progress: progresses.Progress) -> int:
    known = models.ensure(progress)
    progress.say(
        f"the classifier is trained on {known.trained} digits; on {known.held_out} others version 1 is right "
        f"in {known.accuracy[1]:.1%}, version 6 in {known.accuracy[6]:.1%}"
    )
    operator, server = installation.operator_build(), installation.server_build()
    installation.load_images(cluster, progress, operator, server)
    reached = access.of_local(cluster)
    progress.say("installing the operator with its chart")
    installation.remove_namespace(reached)
    user = installation.install_operator(reached, operator.name)
    installation.create_namespace(reached, known)
    progress.say("six versions of the model follow, one after the other")
    ran = session.Session(
        access=reached,
        known=known,
        image=server.name,
        operator_user=user,
        place_client=lambda: traffic.place_on_machine(reached, known),
        board=boards.Board(started=progress.started),
    )
    return _conclude(asyncio.run(ran.run()), progress)


def _conclude(made: report.Report, progress: progresses.Progress) -> int:
    path = installation.checkout() / "build" / "demo" / "report.json"
    report.write(made, path)
    report.show(made, view.console())
    progress.say(f"the report is in {path.relative_to(installation.checkout())}")
    return 1 if made.broken else 0


def _print_commands() -> None:
    name = os.environ.get(layout.NAME_VARIABLE)
    make = f"{layout.NAME_VARIABLE}={name} make" if name else "make"
    print(
        "The cluster stays up (KEEP=1). To look around:\n"
        f"  {make} cluster-shell                                   a shell with kubectl and helm\n"
        "  kubectl -n tfserving-demo get tfmd digits            the ModelDeployment in one line\n"
        "  kubectl -n tfserving-demo describe tfmd digits       conditions, rejections, Events\n"
        "  kubectl -n tfserving-demo get deploy,svc,pod         what the operator made of it\n"
        "  kubectl -n tfserving-system logs deploy/tfserving-operator\n"
        f"  {make} cluster-down                                    when you are done"
    )


if __name__ == "__main__":
    sys.exit(main())
