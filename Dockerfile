# One image for every part: scheduler, workers and web servers. compose.yaml says what each of them runs.
FROM python:3.11-slim

# torch without CUDA, a tenth of the size. For GPU workers: --build-arg TORCH_INDEX=
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu

WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} -r requirements.txt

COPY . .

# Nothing here needs root. Volumes mounted at these folders take over who owns them.
RUN useradd --create-home --uid 1000 bnviz && install -d -o bnviz -g bnviz -m 700 /tls /runs
USER bnviz
ENV PYTHONPATH=/app PYTHONUNBUFFERED=1 BNVIZ_HOME=/runs

EXPOSE 8501
CMD ["streamlit", "run", "app.py", "--server.address=0.0.0.0", "--server.port=8501"]
