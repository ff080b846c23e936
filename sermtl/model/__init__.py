"""The method (paper, section 2), one idea per module; this is the door to it."""

from sermtl.model.co_attention import CoAttention
from sermtl.model.layer_mixing import LayerMixing
from sermtl.model.pooling import AttentiveStatisticsPooling
from sermtl.model.ser_model import SERModel
from sermtl.model.ssl_frontend import SSLFrontend
from sermtl.model.swfc import SWFCLoss

__all__ = [
    "AttentiveStatisticsPooling",
    "CoAttention",
    "LayerMixing",
    "SERModel",
    "SSLFrontend",
    "SWFCLoss",
]
