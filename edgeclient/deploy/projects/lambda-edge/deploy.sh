#!/bin/sh
# Packs the function and brings the whole to AWS. Needs the aws command, a bucket in us-east-1, and at least one provider's key.
#   BUCKET=my-bucket OPENAI_API_KEY=... ANTHROPIC_API_KEY=... sh deploy.sh
set -eu
cd "$(dirname "$0")"
: "${BUCKET:?name a bucket in us-east-1 for the package: BUCKET=my-bucket sh deploy.sh}"
if [ -z "${OPENAI_API_KEY:-}${ANTHROPIC_API_KEY:-}" ]; then
    echo "deploy.sh: set OPENAI_API_KEY or ANTHROPIC_API_KEY, or both" >&2
    exit 1
fi
if grep -q '"tokens": {}' settings.json; then
    echo "deploy.sh: settings.json names no tokens; README.md says how" >&2
    exit 1
fi
stack=${STACK:-edge-pop}
rm -rf build
mkdir build
cp handler.py settings.json build/
aws cloudformation package --region us-east-1 --template-file template.json --use-json --s3-bucket "$BUCKET" \
    --output-template-file packaged.json >/dev/null
aws cloudformation deploy --region us-east-1 --template-file packaged.json --stack-name "$stack" \
    --capabilities CAPABILITY_IAM CAPABILITY_AUTO_EXPAND \
    --parameter-overrides "OpenAIKey=${OPENAI_API_KEY:-}" "AnthropicKey=${ANTHROPIC_API_KEY:-}" "CacheSeconds=${CACHE_TTL_S:-3600}"
aws cloudformation describe-stacks --region us-east-1 --stack-name "$stack" --query 'Stacks[0].Outputs' --output table
