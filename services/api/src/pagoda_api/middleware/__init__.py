"""What happens around every request; `settings.MIDDLEWARE` has the order."""

from pagoda_api.middleware.access_log import AccessLogMiddleware
from pagoda_api.middleware.acting_user import ActingUserMiddleware
from pagoda_api.middleware.body_limit import BodyLimitMiddleware
from pagoda_api.middleware.fence import EndpointFenceMiddleware
from pagoda_api.middleware.proxies import TrustedProxiesMiddleware
from pagoda_api.middleware.rate_limit import RateLimitMiddleware
from pagoda_api.middleware.request_context import RequestContextMiddleware

__all__ = [
    "AccessLogMiddleware",
    "ActingUserMiddleware",
    "BodyLimitMiddleware",
    "EndpointFenceMiddleware",
    "RateLimitMiddleware",
    "RequestContextMiddleware",
    "TrustedProxiesMiddleware",
]
