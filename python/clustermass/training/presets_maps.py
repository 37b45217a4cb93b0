"""Networks on maps: Yan et al. 2020, de Andres et al. 2022, and a residual network of ours."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .map_preset import ARCMIN, MapPreset
from .preset import MakeNetwork
from .settings import TrainingSettings

if TYPE_CHECKING:
    from torch import nn

_YAN = "Yan et al. 2020, MNRAS 499, 3445"
_ANDRES = "de Andres et al. 2022, Nature Astronomy 6, 1325"
_FOUR = ("stars", "xray_soft", "xray_bolometric", "compton_y")
# The transform of pixels is ours where it is "asinh" (Yan et al. do not say theirs), published where it is "standard".
#: as published but for the number of epochs, 1000 there: the least validation loss is kept, and it comes within 100
_YAN_SETTINGS = TrainingSettings(
    epochs=100, batch_size=50, learning_rate=0.01, optimiser="rmsprop", decay=1e-4, patience=30, validation_share=0.2,
    flip=False,
)  # fmt: skip
_OURS = TrainingSettings(
    epochs=60, batch_size=50, learning_rate=1e-3, schedule="cosine", patience=20, flip=False, weight_decay=1e-6
)
#: what the source does not say (optimiser, epochs) as for our own networks
_ANDRES_SETTINGS = TrainingSettings(
    epochs=100, batch_size=50, learning_rate=1e-3, schedule="cosine", patience=25, validation_share=0.1, flip=False
)


def _yan_telescope(*channels: str) -> Any:
    def make(pixel_angle: float) -> Any:
        from ..features.observe_yan import YanObservation

        return YanObservation(channels, pixel_angle=pixel_angle)

    return make


def _planck(pixel_angle: float) -> Any:
    from ..features.observe_planck import PlanckObservation

    return PlanckObservation(pixel_angle=pixel_angle)


def _planck_clean(pixel_angle: float) -> Any:
    from ..features.observe_planck import PlanckObservation

    return PlanckObservation(pixel_angle=pixel_angle, noise=None)


def _yan(name: str, *channels: str, **changes: Any) -> MapPreset:
    given: dict[str, Any] = {
        "source": _YAN, "inputs": "maps", "settings": _YAN_SETTINGS, "network": "yan",
        "options": {"head": "point", "transform": "asinh"}, "channels": channels,
        "telescope": _yan_telescope(*channels),
    }  # fmt: skip
    return MapPreset(name, **(given | changes))


def _deepplanck(name: str, telescope: Any, **changes: Any) -> MapPreset:
    given: dict[str, Any] = {
        "source": _ANDRES, "inputs": "maps", "settings": _ANDRES_SETTINGS, "network": "deepplanck",
        "options": {"head": "point"}, "channels": ("compton_y",), "pixels": 96, "pixel_angle": 1.72 * ARCMIN,
        "telescope": telescope, "augment": "square", "redshift_edges": (0.0, 0.1, 0.2, 0.4, 1.0),
        "mass_definition": "M500c",
    }  # fmt: skip
    return MapPreset(name, **(given | changes))


PRESETS = (
    _yan("yan-stars", "stars"),
    _yan("yan-xray-soft", "xray_soft"),
    _yan("yan-xray-bolometric", "xray_bolometric"),
    _yan("yan-compton-y", "compton_y"),
    _yan("yan-multichannel", *_FOUR, network="yan-multichannel"),
    _yan("yan-compton-y-posterior", "compton_y", source="clustermass", settings=_OURS, augment="square",
         options={"head": "nsf", "transform": "asinh", "dropout": 0.0}),
    _deepplanck("deepplanck", _planck),
    _deepplanck("deepplanck-clean", _planck_clean),
    _yan("map-resnet", *_FOUR, source="clustermass", settings=_OURS, network="map-resnet", augment="square",
         redshift=True, options={"head": "point", "transform": "asinh", "redshift": True}),
    _yan("map-resnet-posterior", *_FOUR, source="clustermass", settings=_OURS, network="map-resnet", augment="square",
         redshift=True, options={"head": "nsf", "transform": "asinh", "redshift": True}),
    _yan("joint-posterior", *_FOUR, source="clustermass", inputs="joint", network="joint", augment="square",
         settings=replace(_OURS, patience=None, epochs=40, subsample=(0.8, 1.0)), redshift=True,
         options={"head": "spline", "transform": "asinh"}),
)  # fmt: skip


def _make_yan(outputs: int, cells: tuple[int, ...], options: dict[str, Any]) -> nn.Module:
    from ..models.networks.yan2020 import YanCNN

    return _scaled(YanCNN(outputs, cells[0], cells[1], **_plain(options)), cells, options)


def _make_yan_multichannel(outputs: int, cells: tuple[int, ...], options: dict[str, Any]) -> nn.Module:
    from ..models.networks.yan2020 import YanMultichannelCNN

    return _scaled(YanMultichannelCNN(outputs, cells[0], cells[1], **_plain(options)), cells, options)


def _make_deepplanck(outputs: int, cells: tuple[int, ...], options: dict[str, Any]) -> nn.Module:
    from ..models.networks.deepplanck import DeepPlanck

    return _scaled(DeepPlanck(outputs, cells[0], **_plain(options)), cells, options)


def _make_resnet(outputs: int, cells: tuple[int, ...], options: dict[str, Any]) -> nn.Module:
    from ..models.networks.resnet import MapResNet

    return _scaled(MapResNet(outputs, cells[0], **_plain(options)), cells, options)


def _plain(options: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in options.items() if key != "transform"}


def _scaled(network: nn.Module, cells: tuple[int, ...], options: dict[str, Any]) -> nn.Module:
    from ..models.networks.scaled import ScaledImages

    return ScaledImages(network, cells[0], options.get("transform", "standard"))


_FEATURES = 16  #: numbers that each half of the joint network gives to what decodes them


def _make_joint(outputs: int, cells: tuple[int, ...], options: dict[str, Any]) -> nn.Module:
    from ..models.networks.joint import JointNetwork
    from ..models.networks.resnet import MapResNet
    from ..models.networks.sets import SetNetwork

    galaxies = SetNetwork(columns=cells[0], summaries=cells[1], outputs=_FEATURES)
    maps = _scaled(MapResNet(_FEATURES, cells[2], redshift=True, **_plain(options)), cells[2:], options)
    return JointNetwork(galaxies, maps, _FEATURES, outputs)


NETWORKS: dict[str, MakeNetwork] = {
    "joint": _make_joint,
    "yan": _make_yan,
    "yan-multichannel": _make_yan_multichannel,
    "deepplanck": _make_deepplanck,
    "map-resnet": _make_resnet,
}
