//! Layers and their versions.

mod policy;

use anyfn_aws_model::lambda::{
    DeleteLayerVersionRequest, GetLayerVersionByArnRequest, GetLayerVersionRequest, GetLayerVersionResponse,
    LayerVersionContentOutput, LayerVersionsListItem, LayersListItem, ListLayerVersionsRequest,
    ListLayerVersionsResponse, ListLayersRequest, ListLayersResponse, PublishLayerVersionRequest,
    PublishLayerVersionResponse,
};
use anyfn_core::{LayerName, LayerRecord, NewLayerVersion};
use anyfn_types::LayerVersion;

pub(super) use policy::{
    add_layer_version_permission, get_layer_version_policy, remove_layer_version_permission,
};

use super::{
    check,
    configuration::{date, signed},
};
use crate::api::{
    arn::{Home, parse_layer, parse_layer_version},
    context::Ctx,
    fault::{Fault, lambda as say},
    page::{Ask, seal},
};

/// A layer that a request names.
pub(super) struct Named {
    home: Home,
    name: LayerName,
}

/// Layers of other accounts look as if they did not exist.
fn named(ctx: &Ctx<'_>, text: Option<String>) -> Result<Named, Fault> {
    let (home, name) = parse_layer(&ctx.home, &text.unwrap_or_default()).ok_or_else(say::no_such_resource)?;
    if home.account != ctx.home.account {
        return Err(say::no_such_resource());
    }
    let name = LayerName::new(&name)?;
    Ok(Named { home, name })
}

fn version_number(number: Option<i64>) -> Result<u64, Fault> {
    let number = number.and_then(|number| u64::try_from(number).ok()).filter(|number| *number > 0);
    number.ok_or_else(|| say::invalid("Layer Version Cannot be less than 1."))
}

pub(super) async fn publish_layer_version(
    ctx: &Ctx<'_>,
    input: PublishLayerVersionRequest,
) -> Result<PublishLayerVersionResponse, Fault> {
    let layer = named(ctx, input.layer_name)?;
    let content = input.content.unwrap_or_default();
    if content.s3_bucket.is_some() || content.s3_key.is_some() {
        return Err(say::invalid("Code from S3 is not served yet: send the layer as a zip file (ZipFile)."));
    }
    let zip = content.zip_file.filter(|zip| !zip.is_empty());
    let zip = zip.ok_or_else(|| say::invalid("Uploaded file must be a non-empty zip"))?;
    let limits = &ctx.services().limits;
    check::zipped(zip.len(), limits)?;
    let code = ctx.services().artifacts.ingest(zip).await?.code;
    check::unpacked(0, code.unpacked, limits)?;
    let new = NewLayerVersion {
        code,
        description: input.description.unwrap_or_default(),
        license: input.license_info,
        runtimes: input.compatible_runtimes.unwrap_or_default(),
        architectures: input.compatible_architectures.unwrap_or_default(),
    };
    let version = ctx.services().registry.publish_layer(&layer.home.namespace, &layer.name, new).await?;
    let item = item(&layer, &version);
    Ok(PublishLayerVersionResponse {
        content: Some(content_of(ctx, &version)),
        layer_arn: Some(layer.home.layer(layer.name.as_str())),
        layer_version_arn: item.layer_version_arn,
        description: item.description,
        created_date: item.created_date,
        version: item.version,
        compatible_runtimes: item.compatible_runtimes,
        license_info: item.license_info,
        compatible_architectures: item.compatible_architectures,
    })
}

pub(super) async fn get_layer_version(
    ctx: &Ctx<'_>,
    input: GetLayerVersionRequest,
) -> Result<GetLayerVersionResponse, Fault> {
    let layer = named(ctx, input.layer_name)?;
    let number = version_number(input.version_number)?;
    get(ctx, &layer, number).await
}

pub(super) async fn get_layer_version_by_arn(
    ctx: &Ctx<'_>,
    input: GetLayerVersionByArnRequest,
) -> Result<GetLayerVersionResponse, Fault> {
    let arn = input.arn.unwrap_or_default();
    let (_, _, number) = parse_layer_version(&arn).ok_or_else(say::no_such_resource)?;
    let layer = named(ctx, Some(arn))?;
    get(ctx, &layer, number).await
}

async fn get(ctx: &Ctx<'_>, layer: &Named, number: u64) -> Result<GetLayerVersionResponse, Fault> {
    let registry = &ctx.services().registry;
    let version = registry.layer_version(&layer.home.namespace, &layer.name, number).await?;
    let item = item(layer, &version);
    Ok(GetLayerVersionResponse {
        content: Some(content_of(ctx, &version)),
        layer_arn: Some(layer.home.layer(layer.name.as_str())),
        layer_version_arn: item.layer_version_arn,
        description: item.description,
        created_date: item.created_date,
        version: item.version,
        compatible_runtimes: item.compatible_runtimes,
        license_info: item.license_info,
        compatible_architectures: item.compatible_architectures,
    })
}

pub(super) async fn delete_layer_version(
    ctx: &Ctx<'_>,
    input: DeleteLayerVersionRequest,
) -> Result<(), Fault> {
    let layer = named(ctx, input.layer_name)?;
    let number = version_number(input.version_number)?;
    let registry = &ctx.services().registry;
    Ok(registry.delete_layer_version(&layer.home.namespace, &layer.name, number).await?)
}

/// Which versions a listing is for.
struct Fits {
    runtime: Option<String>,
    architecture: Option<String>,
}

impl Fits {
    fn holds(&self, version: &LayerVersion) -> bool {
        let among = |all: &[String], one: &Option<String>| one.as_ref().is_none_or(|one| all.contains(one));
        among(&version.runtimes, &self.runtime) && among(&version.architectures, &self.architecture)
    }
}

pub(super) async fn list_layer_versions(
    ctx: &Ctx<'_>,
    input: ListLayerVersionsRequest,
) -> Result<ListLayerVersionsResponse, Fault> {
    let layer = named(ctx, input.layer_name)?;
    let ask = Ask::new(input.marker.as_deref(), input.max_items)?;
    let fits = Fits { runtime: input.compatible_runtime, architecture: input.compatible_architecture };
    let found = ctx.services().registry.layer(&layer.home.namespace, &layer.name).await;
    let record = match found {
        // A layer that never was is one without versions.
        Err(error) if error.code == "layer_not_found" => LayerRecord::default(),
        other => other?,
    };
    // The newest first: keys ascend as numbers fall.
    let newest_first = record.versions.values().rev().filter(|version| fits.holds(version));
    let keyed = newest_first.map(|version| (format!("{:020}", u64::MAX - version.version), version));
    let (versions, next_marker) = ask.cut(keyed);
    let layer_versions = versions.into_iter().map(|version| item(&layer, version)).collect();
    Ok(ListLayerVersionsResponse { layer_versions: Some(layer_versions), next_marker })
}

pub(super) async fn list_layers(
    ctx: &Ctx<'_>,
    input: ListLayersRequest,
) -> Result<ListLayersResponse, Fault> {
    let ask = Ask::new(input.marker.as_deref(), input.max_items)?;
    let fits = Fits { runtime: input.compatible_runtime, architecture: input.compatible_architecture };
    let home = &ctx.home;
    let (mut layers, mut after) = (Vec::new(), ask.after.clone());
    loop {
        let page = ctx.services().registry.layers(&home.namespace, after.as_deref(), ask.max + 1).await?;
        for record in page.items {
            let Some(version) = record.versions.values().rev().find(|version| fits.holds(version)) else {
                continue;
            };
            if layers.len() == ask.max {
                let last: Option<&LayersListItem> = layers.last();
                let next_marker = last.and_then(|last| last.layer_name.as_deref()).map(seal);
                return Ok(ListLayersResponse { layers: Some(layers), next_marker });
            }
            let layer = Named { home: home.clone(), name: LayerName::new(&record.name)? };
            layers.push(LayersListItem {
                layer_name: Some(record.name.clone()),
                layer_arn: Some(home.layer(&record.name)),
                latest_matching_version: Some(item(&layer, version)),
            });
        }
        after = page.next;
        if after.is_none() {
            return Ok(ListLayersResponse { layers: Some(layers), next_marker: None });
        }
    }
}

fn item(layer: &Named, version: &LayerVersion) -> LayerVersionsListItem {
    let some = |all: &Vec<String>| (!all.is_empty()).then(|| all.clone());
    LayerVersionsListItem {
        layer_version_arn: Some(layer.home.layer_version(layer.name.as_str(), version.version)),
        version: Some(signed(version.version)),
        description: Some(version.description.clone()),
        created_date: Some(date(version.created)),
        compatible_runtimes: some(&version.runtimes),
        license_info: version.license.clone(),
        compatible_architectures: some(&version.architectures),
    }
}

fn content_of(ctx: &Ctx<'_>, version: &LayerVersion) -> LayerVersionContentOutput {
    let code = &version.code;
    LayerVersionContentOutput {
        location: Some(ctx.shared.code_key.address(&ctx.request.base_url, code.digest, ctx.now())),
        code_sha256: Some(code.digest.base64()),
        code_size: Some(signed(code.size)),
        ..LayerVersionContentOutput::default()
    }
}
